//! Decode steps whose kernels write into the cache's memory themselves, all layers at once. Their
//! orders are the policy's, as those of [`ScopeCache::step`].

use super::check;
use super::error::CacheError;
use super::scope_cache::ScopeCache;
use super::store::exactly;
use crate::kernels::{BoundBuffer, KernelError};
use crate::policy::{Order, decide};

/// One layer's memory.
pub(crate) struct LayerBuffers {
    pub keys: BoundBuffer,
    pub values: BoundBuffer,
    pub positions: BoundBuffer,
    pub scores: BoundBuffer,
    /// Slots a head.
    pub capacity: usize,
}

impl ScopeCache {
    /// Makes every layer ready for a step in place: with room for the token, in memory that nothing
    /// else refers to. `false` where the heads of a layer hold different numbers of slots, as only
    /// a cache from elsewhere can: then tensor operations are needed.
    ///
    /// # Errors
    ///
    /// [`CacheError::NoPrompt`] before any prompt, [`CacheError::PrefillOpen`] in the middle of
    /// one, [`CacheError::TooLong`].
    pub(crate) fn ready(&mut self) -> Result<bool, CacheError> {
        for layer in 0..self.layers.len() {
            let cache = &self.layers[layer];
            if cache.state.turn.is_some() {
                return Err(CacheError::PrefillOpen { layer });
            }
            check::length(cache.state.seen, 1)?;
            if !cache.state.heads_agree() {
                return Ok(false);
            }
        }
        for layer in 0..self.layers.len() {
            let before = self.layers[layer].sizes();
            let cache = &mut self.layers[layer];
            let Some(mut store) = cache.store.take() else {
                return Err(CacheError::NoPrompt { layer });
            };
            let needed = cache.state.most_held() + 1;
            let capacity = cache
                .state
                .decode_capacity(needed, &self.config.policy, layer);
            let mut moved = capacity > store.capacity();
            if moved {
                store = store.grow(capacity);
            }
            if !store.is_unshared() {
                store = exactly(&store.device(), store, super::store::SlotStore::copied);
                moved = true;
            }
            cache.store = Some(store);
            self.settle(layer, before, false);
            if moved {
                self.moved(layer);
            }
        }
        Ok(true)
    }

    /// Counts a token that every layer takes in, and decides what each layer does after its
    /// attention. With `scored`, every layer's scores are needed.
    pub(crate) fn plan_step(&mut self, scored: bool) -> Vec<Order> {
        let mut orders = Vec::with_capacity(self.layers.len());
        for layer in 0..self.layers.len() {
            let before = self.layers[layer].sizes();
            let state = &mut self.layers[layer].state;
            let mut order = decide(state, &self.config.policy, layer);
            order.scored |= scored;
            orders.push(order);
            self.settle(layer, before, false);
        }
        orders
    }

    /// Changes whenever `layer` may have moved to other memory.
    pub(crate) fn stamp(&self, layer: usize) -> Option<u64> {
        self.stamps.get(layer).copied()
    }

    /// Slots a head that `layer`'s memory has.
    pub(crate) fn capacity(&self, layer: usize) -> usize {
        let store = self
            .layers
            .get(layer)
            .and_then(|cache| cache.store.as_ref());
        store.map_or(0, |store| store.capacity())
    }

    /// Slots a head of the layer that has most.
    pub(crate) fn most_capacity(&self) -> usize {
        let stores = self.layers.iter().filter_map(|cache| cache.store.as_ref());
        stores.map(|store| store.capacity()).max().unwrap_or(0)
    }

    /// The memory of `layer`.
    ///
    /// # Errors
    ///
    /// [`KernelError::Device`] where the device does not answer.
    pub(crate) fn buffers(&self, layer: usize) -> Result<Option<LayerBuffers>, KernelError> {
        let store = self
            .layers
            .get(layer)
            .and_then(|cache| cache.store.as_ref());
        store.map(|store| store.buffers()).transpose()
    }
}
