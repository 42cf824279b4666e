//! Decode steps whose kernels write into the cache's memory themselves, all layers in one go. What they have to know is
//! decided here, by the same arithmetic as for [`ScopeCache::step`].

use super::check;
use super::decode::RankedBy;
use super::error::CacheError;
use super::scope_cache::ScopeCache;
use super::step::{Eviction, Recent};
use super::store::exactly;
use crate::fused::{LayerStep, RecentSlots};
use crate::kernels::{BoundBuffer, KernelError};

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
    /// Makes every layer ready for a step in place: with room for the token, in memory that nothing else refers to. `false`
    /// where the heads of a layer hold different numbers of slots, as only a cache from elsewhere can: then tensor
    /// operations are needed.
    ///
    /// # Errors
    ///
    /// [`CacheError::NoPrompt`] before any prompt, [`CacheError::PrefillOpen`] in the middle of one,
    /// [`CacheError::TooLong`].
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
            let capacity = cache.state.decode_capacity(needed, &self.config, layer);
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

    /// Counts a token that every layer takes in, and says what each has to do for it. With `scored`, scores are computed
    /// even where nothing is selected.
    pub(crate) fn advance(&mut self, scored: bool) -> Vec<LayerStep> {
        let mut steps = Vec::with_capacity(self.layers.len());
        for layer in 0..self.layers.len() {
            let before = self.layers[layer].sizes();
            let cache = &mut self.layers[layer];
            let capacity = cache.store.as_ref().map_or(0, |store| store.capacity());
            let ranked_by = self.config.decode.rule().scope().ranked_by;
            let decay = ranked_by.decay(cache.state.step(), self.config.decay);
            // Scores that add up have to be computed at every step.
            let scored = scored || ranked_by == RankedBy::DecayedAttention;
            let eviction = cache.state.advance(&self.config, layer);
            steps.push(LayerStep {
                decay,
                ..step_of(eviction, capacity, scored)
            });
            self.settle(layer, before, false);
        }
        steps
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
