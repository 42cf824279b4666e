//! Forks: copies of one prompt's cache that go on by different rules, so that the prompt is
//! computed once.

use super::buffers::unpooled;
use super::config::ScopeCacheConfig;
use super::error::{CacheError, ConfigError};
use super::layer::LayerCache;
use super::scope_cache::ScopeCache;
use super::storage::CacheTypes;
use crate::policy::Queries;

impl ScopeCache {
    /// Keeps the evidence of every prefill method, from the next chunk of a prompt on. An open
    /// prompt can then be [forked](Self::fork) to any method. Results stay the same; open prompts
    /// take the memory of the neediest method.
    pub fn prepare_forks(&mut self) {
        self.forks = true;
    }

    /// Returns a copy that goes on by the rules of `config`, as if it had had them from the
    /// beginning.
    ///
    /// While every layer's prompt is open, all rules but the observation window may differ, if
    /// [`prepare_forks`](Self::prepare_forks) came before the prompt. In the first prompt the types
    /// may differ too, but for f32. Once every prompt is finished, and before the next step, the
    /// rules of decoding may.
    ///
    /// # Errors
    ///
    /// [`CacheError::Config`] with the first field that is not valid or must be as in this cache.
    /// [`CacheError::NoPrompt`] for a layer that has none.
    pub fn fork(&self, config: ScopeCacheConfig) -> Result<Self, CacheError> {
        config.validate()?;
        let mut fixed = self.fixed(&config);
        let mut open = true;
        for (layer, cache) in self.layers.iter().enumerate() {
            if cache.store.is_none() {
                return Err(CacheError::NoPrompt { layer });
            }
            open &= cache.state.turn.is_some();
        }
        let decoded = |cache: &LayerCache| cache.state.turn.is_some() || cache.state.step() > 0;
        if open {
            fixed.extend(self.seen_by(&config));
        } else {
            let own = self.config.prompt_settings().into_iter();
            let own = own.zip(config.prompt_settings());
            fixed.extend(own.map(|((name, own), (_, asked))| (name, own, asked)));
            if self.layers.iter().any(decoded) {
                let (own, asked) = (&self.config, &config);
                fixed.push(("decode", own.decode.to_string(), asked.decode.to_string()));
            }
        }
        if !open || !self.awaits(config.cache_type) {
            let (own, asked) = (self.config.cache_type, config.cache_type);
            fixed.push(("cache_type", own.to_string(), asked.to_string()));
        }
        let changed = fixed.into_iter().find(|(_, own, asked)| own != asked);
        if let Some((field, own, asked)) = changed {
            let allowed = format!("{own}, as in the cache that is forked");
            return Err(ConfigError::new(field, asked, allowed).into());
        }

        let mut fork = self.clone();
        let scores = config.policy.evidence().is_some();
        fork.config = config;
        for layer in 0..fork.layers.len() {
            fork.change(layer, |cache, config| {
                if !open {
                    cache.decode_anew(config, layer);
                } else if !scores {
                    cache.unscored();
                }
            })?;
        }
        Ok(fork)
    }

    /// Fields that no fork can change: name, own value, asked value.
    fn fixed(&self, asked: &ScopeCacheConfig) -> Vec<(&'static str, String, String)> {
        let own = &self.config;
        let number = |name, own: usize, asked: usize| (name, own.to_string(), asked.to_string());
        vec![
            number("layers", own.layers, asked.layers),
            number("query_heads", own.query_heads, asked.query_heads),
            number("kv_heads", own.kv_heads, asked.kv_heads),
            number("head_dim", own.head_dim, asked.head_dim),
            number("block", own.block, asked.block),
            (
                "windows",
                format!("{:?}", own.windows),
                format!("{:?}", asked.windows),
            ),
        ]
    }

    /// `true` if the rows of every layer's first prompt can yet become those of `types`.
    fn awaits(&self, types: CacheTypes) -> bool {
        let first = self.layers.iter().all(|layer| {
            let turn = layer.state.turn.as_ref();
            turn.is_some_and(|turn| turn.new == layer.state.seen)
        });
        let balanced = self.forks || self.config.cache_type.keys.framed();
        first
            && types.of_prompt() == self.config.cache_type.of_prompt()
            && (balanced || !types.keys.framed())
    }

    /// Fields that can't change because an open prompt's evidence depends on them.
    fn seen_by(&self, asked: &ScopeCacheConfig) -> Vec<(&'static str, String, String)> {
        let (own, evidence) = (&self.config, asked.policy.evidence());
        let mut fixed = Vec::new();
        if !self.forks && evidence.is_some() && evidence != own.policy.evidence() {
            fixed.push((
                "prefill",
                own.prefill.to_string(),
                asked.prefill.to_string(),
            ));
        }
        if evidence == Some(Queries::Window) {
            let (own, asked) = (own.observation_window, asked.observation_window);
            fixed.push(("observation_window", own.to_string(), asked.to_string()));
        }
        fixed
    }
}

impl ScopeCacheConfig {
    /// A finished prompt is the same under both.
    pub(crate) fn keeps_as(&self, other: &Self) -> bool {
        self.cache_type == other.cache_type && self.prompt_settings() == other.prompt_settings()
    }
}

impl LayerCache {
    /// Clears scores that only other prefill methods need.
    fn unscored(&mut self) {
        if let Some(store) = &mut self.store {
            let scores = store.scores.clone();
            store.scores = unpooled(&store.device(), scores, |scores| scores.zeros_like());
        }
    }

    /// Begins the decoding of a finished prompt by the rules of `config`.
    fn decode_anew(&mut self, config: &ScopeCacheConfig, layer: usize) {
        let Some(store) = self.store.take() else {
            return;
        };
        let state = &mut self.state;
        let rules = config.rules(layer);
        state.budgets = rules.budgets(state.seen);
        let needed = state.prompt_slots + 1;
        let capacity = state.decode_capacity(needed, rules);
        self.store = Some(store.resized(capacity));
    }
}
