//! Forks: one prompt's cache that goes on by several rules, so that the prompt is computed once for all of them.

use super::config::ScopeCacheConfig;
use super::error::{CacheError, ConfigError};
use super::layer::LayerCache;
use super::scope_cache::ScopeCache;
use super::store::exactly;
use crate::policy::{Queries, TurnBudgets};

impl ScopeCache {
    /// From the next piece of a prompt on, keeps what any prefill method needs to see, so that the prompt can be
    /// [forked](Self::fork) to any of them before it is finished. What a method sees and what prompts attend to stays the
    /// same; until they are finished, prompts take the memory that the neediest method takes.
    pub fn prepare_forks(&mut self) {
        self.forks = true;
    }

    /// A copy that goes on by the rules of `config`, as if it had had them from the beginning.
    ///
    /// With a prompt open in every layer, all rules may differ, if [`prepare_forks`](Self::prepare_forks) came before the
    /// prompt, but for the observation window; with a prompt finished in every layer and no step taken since, what
    /// concerns decoding.
    ///
    /// # Errors
    ///
    /// [`CacheError::Config`] with the first field that is not valid or would have to be as in this cache,
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
        let changed = fixed.into_iter().find(|(_, own, asked)| own != asked);
        if let Some((field, own, asked)) = changed {
            let allowed = format!("{own}, as in the cache that is forked");
            return Err(ConfigError::new(field, asked, allowed).into());
        }

        let mut fork = self.clone();
        let scores = config.policy.evidence().is_some();
        fork.config = config;
        for layer in 0..fork.layers.len() {
            fork.moved(layer);
            if open && !scores {
                fork.layers[layer].unscored();
            }
            if !open {
                let before = fork.layers[layer].sizes();
                let replaced = fork.layers[layer].decode_anew(&fork.config, layer);
                fork.settle(layer, before, replaced);
            }
        }
        Ok(fork)
    }

    /// What no fork can change: name, own value, asked value.
    fn fixed(&self, asked: &ScopeCacheConfig) -> Vec<(&'static str, String, String)> {
        let own = &self.config;
        let type_name = |config: &ScopeCacheConfig| format!("{:?}", config.cache_type);
        let number = |name, own: usize, asked: usize| (name, own.to_string(), asked.to_string());
        vec![
            number("layers", own.layers, asked.layers),
            number("query_heads", own.query_heads, asked.query_heads),
            number("kv_heads", own.kv_heads, asked.kv_heads),
            number("head_dim", own.head_dim, asked.head_dim),
            ("cache_type", type_name(own), type_name(asked)),
            number("block", own.block, asked.block),
        ]
    }

    /// What can't change because an open prompt has been seen by it.
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
        self.prompt_settings() == other.prompt_settings()
    }
}

impl LayerCache {
    /// Forgets what other methods would have scored by.
    fn unscored(&mut self) {
        if let Some(store) = &mut self.store {
            let scores = store.scores.clone();
            store.scores = exactly(&store.device(), scores, |scores| scores.zeros_like());
        }
    }

    /// Begins the decoding of a finished prompt by `config`, and returns whether the layer's tensors were replaced.
    fn decode_anew(&mut self, config: &ScopeCacheConfig, layer: usize) -> bool {
        let Some(store) = self.store.take() else {
            return false;
        };
        let state = &mut self.state;
        state.budgets = TurnBudgets::resolve(&config.policy, config.layers, state.seen);
        let needed = state.prompt_slots + 1;
        let capacity = state.decode_capacity(needed, &config.policy, layer);
        let had = store.capacity();
        self.store = Some(store.resized(capacity));
        capacity != had
    }
}
