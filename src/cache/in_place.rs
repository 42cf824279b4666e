//! Decode steps whose kernels write into the cache's memory themselves, all layers at once. Their
//! orders are the policy's, as those of [`ScopeCache::step`].

use super::check;
use super::error::CacheError;
use super::layer::LayerCache;
use super::scope_cache::ScopeCache;
use super::store::LayerBuffers;
use crate::kernels::KernelError;
use crate::policy::{Order, decide};

impl ScopeCache {
    /// Prepares every layer for a fused step: a free slot per head, in buffers that nothing else
    /// refers to.
    ///
    /// # Errors
    ///
    /// [`CacheError::NoPrompt`] before any prompt, [`CacheError::PrefillOpen`] in the middle of
    /// one, [`CacheError::TooLong`].
    pub(crate) fn prepare_fused_step(&mut self) -> Result<(), CacheError> {
        for layer in 0..self.layers.len() {
            let cache = self.layer(layer)?;
            if cache.state.turn.is_some() {
                return Err(CacheError::PrefillOpen { layer });
            }
            check::length(cache.state.seen, 1)?;
        }
        for layer in 0..self.layers.len() {
            let LayerCache { store, state, .. } = self.layer(layer)?;
            let store = store.as_ref().ok_or(CacheError::NoPrompt { layer })?;
            let rules = self.config.rules(layer);
            let capacity = state.decode_capacity(state.most_held() + 1, rules);
            if capacity > store.capacity() || !store.is_unshared() {
                self.change(layer, |cache, _| cache.own_memory(capacity))?;
            }
        }
        Ok(())
    }

    /// Counts a token that every layer takes in, and decides what each layer does after its
    /// attention. With `scored`, every layer's scores are needed.
    pub(crate) fn plan_step(&mut self, scored: bool) -> Vec<Order> {
        let mut orders = Vec::with_capacity(self.layers.len());
        for layer in 0..self.layers.len() {
            let order =
                self.change_state(layer, |state, config| decide(state, config.rules(layer)));
            orders.extend(order.map(|order| Order {
                scored: order.scored || scored,
                ..order
            }));
        }
        orders
    }

    /// The earliest position that has an exact row, but for the first ones.
    pub(crate) fn exact_from(&self) -> usize {
        let layers = self.layers.iter();
        layers.map(LayerCache::exact_from).max().unwrap_or(0)
    }

    /// A number that changes when `layer`'s buffers may have been reallocated.
    pub(crate) fn stamp(&self, layer: usize) -> Option<u64> {
        self.layers.stamp(layer)
    }

    /// Slots per head that `layer` has allocated.
    pub(crate) fn capacity(&self, layer: usize) -> usize {
        let store = self
            .layers
            .get(layer)
            .and_then(|cache| cache.store.as_ref());
        store.map_or(0, |store| store.capacity())
    }

    /// Slots per head of the layer that has most.
    pub(crate) fn most_capacity(&self) -> usize {
        let stores = self.layers.iter().filter_map(|cache| cache.store.as_ref());
        stores.map(|store| store.capacity()).max().unwrap_or(0)
    }

    /// The memory of `layer`, if it has any.
    ///
    /// # Errors
    ///
    /// [`KernelError::Device`] if the device does not answer.
    pub(crate) fn buffers(&self, layer: usize) -> Result<Option<LayerBuffers>, KernelError> {
        let store = self
            .layers
            .get(layer)
            .and_then(|cache| cache.store.as_ref());
        store.map(|store| store.buffers()).transpose()
    }
}

impl LayerCache {
    /// Makes the layer's memory its own, with at least `capacity` slots per head.
    fn own_memory(&mut self, capacity: usize) {
        self.store = self.store.take().map(|mut store| {
            if capacity > store.capacity() {
                store = store.grow(capacity);
            }
            if store.is_unshared() {
                store
            } else {
                store.copied()
            }
        });
    }
}
