//! Decode steps whose kernels write into the cache's memory themselves, all layers in one go. What
//! they have to know is decided here, by the same arithmetic as for [`ScopeCache::step`].

use super::check;
use super::decode::RankedBy;
use super::error::CacheError;
use super::layer::LayerCache;
use super::scope_cache::ScopeCache;
use super::step::{Eviction, Recent};
use super::store::LayerBuffers;
use crate::fused::{LayerStep, RecentSlots};
use crate::kernels::KernelError;

impl ScopeCache {
    /// Prepares every layer for a fused step: a free slot per head, in buffers that nothing else
    /// refers to. Returns `false` if a layer's heads hold different numbers of slots, after
    /// [`truncate`](Self::truncate) or in a loaded cache; the step then takes tensor operations.
    ///
    /// # Errors
    ///
    /// [`CacheError::NoPrompt`] before any prompt, [`CacheError::PrefillOpen`] in the middle of
    /// one, [`CacheError::TooLong`].
    pub(crate) fn prepare_fused_step(&mut self) -> Result<bool, CacheError> {
        for layer in 0..self.layers.len() {
            let cache = self.layer(layer)?;
            if cache.state.turn.is_some() {
                return Err(CacheError::PrefillOpen { layer });
            }
            check::length(cache.state.seen, 1)?;
            if !cache.state.heads_agree() {
                return Ok(false);
            }
        }
        for layer in 0..self.layers.len() {
            let LayerCache { store, state, .. } = self.layer(layer)?;
            let store = store.as_ref().ok_or(CacheError::NoPrompt { layer })?;
            let capacity = state.decode_capacity(state.most_held() + 1, &self.config, layer);
            if capacity > store.capacity() || !store.is_unshared() {
                self.change(layer, |cache, _| cache.own_memory(capacity))?;
            }
        }
        Ok(true)
    }

    /// Counts a token that every layer takes in, and says what each has to do for it. With
    /// `scored`, scores are computed even where nothing is selected.
    pub(crate) fn advance(&mut self, scored: bool) -> Vec<LayerStep> {
        let mut steps = Vec::with_capacity(self.layers.len());
        for layer in 0..self.layers.len() {
            let capacity = self.capacity(layer);
            let ranked_by = self.config.decode.rule().scope().ranked_by;
            let decay = ranked_by.decay(self.layers[layer].state.step(), self.config.decay);
            // Scores that add up have to be computed at every step.
            let scored = scored || ranked_by == RankedBy::DecayedAttention;
            let eviction = self.change_state(layer, |state, config| state.advance(config, layer));
            steps.push(LayerStep {
                decay,
                ..step_of(eviction.ok().flatten(), capacity, scored)
            });
        }
        steps
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

fn step_of(eviction: Option<Eviction>, capacity: usize, scored: bool) -> LayerStep {
    let step = LayerStep {
        capacity,
        reach: capacity,
        scored,
        ..LayerStep::default()
    };
    let Some(eviction) = eviction else {
        return step;
    };
    // Heads agree, or the step would not be done in place.
    let first = |numbers: &[usize]| numbers.first().copied().unwrap_or(0);
    let recent = match &eviction.recent {
        Recent::From(first) => RecentSlots::From(*first),
        Recent::Rank(before) => RecentSlots::After(first(before)),
    };
    LayerStep {
        evicted: first(&eviction.evicted),
        from_position: eviction.first,
        recent,
        by_position: eviction.ranked_by == RankedBy::Position,
        scored: true,
        ..step
    }
}
