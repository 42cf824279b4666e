//! Going back: a cache that forgets the end of its sequence.

use super::config::ScopeCacheConfig;
use super::error::CacheError;
use super::layer::LayerCache;
use super::scope_cache::ScopeCache;
use crate::policy::recent_run;

impl ScopeCache {
    /// `true` if a policy has evicted something after the cache had seen `length` tokens. Going
    /// back to that length would not bring it back.
    pub fn evicted_after(&self, length: usize) -> bool {
        let mut layers = self.layers.iter().enumerate();
        // A window's layer says so itself, when it is truncated.
        layers.any(|(layer, cache)| {
            self.config.window(layer).is_none() && cache.state.evicted_after(length)
        })
    }

    /// Drops every position from `length` on, and releases the memory that this frees. The next
    /// token is then at position `length`. Positions evicted before stay evicted. Waits for the
    /// device, to learn how many slots each head has left: they may differ from then on.
    ///
    /// Inside the current turn's decoding, the turn goes on at step `length` − prompt length.
    /// Inside the prompt, or in the middle of a prefill, everything left becomes the prompt. The
    /// turn then begins anew at step 0.
    ///
    /// # Errors
    ///
    /// [`CacheError::Window`] if a layer with a window has dropped positions that the next token
    /// would see, [`CacheError::Read`]. Nothing is changed then.
    pub async fn truncate(&mut self, length: usize) -> Result<(), CacheError> {
        if length == 0 {
            for layer in 0..self.layers.len() {
                self.change(layer, |cache, config| *cache = LayerCache::empty(config))?;
            }
            return Ok(());
        }
        let mut held = Vec::with_capacity(self.layers.len());
        for layer in self.layers.iter() {
            held.push(match &layer.store {
                Some(store) if layer.state.seen > length => Some(store.read_positions().await?),
                _ => None,
            });
        }
        for (layer, held) in held.iter().enumerate() {
            if let (Some(window), Some(held)) = (self.config.window(layer), held) {
                let seen = length.min(window.saturating_sub(1));
                let runs = held.iter().map(|slots| recent_run(slots, length));
                if runs.min().unwrap_or(0) < seen {
                    return Err(CacheError::Window {
                        layer,
                        window,
                        length,
                    });
                }
            }
        }
        for (layer, held) in held.into_iter().enumerate() {
            if let Some(held) = held {
                self.change(layer, |cache, config| {
                    cache.truncate(length, &held, config, layer);
                })?;
            }
        }
        Ok(())
    }
}

impl LayerCache {
    /// Drops every position from `length` on; `slots` are the positions in every head's slots.
    fn truncate(
        &mut self,
        length: usize,
        slots: &[Vec<i32>],
        config: &ScopeCacheConfig,
        layer: usize,
    ) {
        let Some(store) = self.store.take() else {
            return;
        };
        self.queries = None;
        let types = config.cache_type;
        let framing = store.framing(types, self.squares.take(), length);
        let seen = self.state.seen;
        let (state, rules) = (&mut self.state, config.rules(layer));
        let heads = slots.iter();
        let held: Vec<usize> = heads.map(|slots| held_before(slots, length)).collect();
        let runs = slots.iter().map(|slots| recent_run(slots, length));
        let recent_run = runs.min().unwrap_or(0);
        state.truncate(length, &held, recent_run, rules);

        let needed = state.most_held().max(state.prompt_slots + 1);
        let capacity = state.decode_capacity(needed, rules);
        let kept = store
            .positions
            .clone()
            .greater_equal_elem(0)
            .bool_and(store.positions.clone().lower_elem(length as i64));
        let store = store.keep(kept, capacity).cleared();
        self.store = Some(match framing {
            Some(framing) => store.framed(types, framing),
            None => store.truncated(length, seen).close(length),
        });
    }
}

/// The number of slots that hold positions before `length`.
fn held_before(slots: &[i32], length: usize) -> usize {
    let positions = slots.iter().filter_map(|slot| usize::try_from(*slot).ok());
    positions.filter(|position| *position < length).count()
}
