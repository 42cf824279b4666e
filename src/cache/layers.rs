//! All layers behind one gate. A layer's memory is reached for writing by [`Layers::change`] alone.
//! It counts the bytes and marks the layer as reallocated, so no other file has to remember either.

use std::ops::Index;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::module::Module;

use super::config::ScopeCacheConfig;
use super::layer::LayerCache;
use super::memory::{Account, LayerBytes, MemoryReport};
use super::store::{self, SlotStore};
use crate::policy::LayerState;

/// The layers, and what they have allocated.
#[derive(Module, Debug)]
pub(super) struct Layers {
    layers: Vec<LayerCache>,
    #[module(skip)]
    held: Account,
    #[module(skip)]
    full: Account,
    /// Slots per head that a full cache's layers would have allocated.
    #[module(skip)]
    full_capacities: Vec<usize>,
    /// Bumped when a layer's buffers may have been reallocated; the fused path rebinds layers whose
    /// stamp changed.
    #[module(skip)]
    stamps: Vec<u64>,
}

/// Terms of a layer's bytes beside the layer itself.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub config: &'a ScopeCacheConfig,
    /// Tokens that the next prompt is known to have.
    pub reserved: usize,
}

impl Layers {
    /// Layers without memory.
    pub fn empty(config: &ScopeCacheConfig) -> Self {
        let layers = 0..config.layers;
        Self {
            layers: layers.clone().map(|_| LayerCache::empty(config)).collect(),
            held: Account::default(),
            full: Account::default(),
            full_capacities: vec![0; config.layers],
            stamps: layers.map(|_| next_stamp()).collect(),
        }
    }

    /// Their number.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// One layer, if there is such a one.
    pub fn get(&self, layer: usize) -> Option<&LayerCache> {
        self.layers.get(layer)
    }

    /// All layers, for reading.
    pub fn iter(&self) -> std::slice::Iter<'_, LayerCache> {
        self.layers.iter()
    }

    /// The stamp of `layer`.
    pub fn stamp(&self, layer: usize) -> Option<u64> {
        self.stamps.get(layer).copied()
    }

    /// Changes `layer` in any way: counts its bytes before and after, and marks it as reallocated.
    /// `None` if there is no such layer.
    pub fn change<R>(
        &mut self,
        layer: usize,
        terms: Terms<'_>,
        change: impl FnOnce(&mut LayerCache) -> R,
    ) -> Option<R> {
        let cache = self.layers.get_mut(layer)?;
        let before = cache.bytes();
        let result = change(cache);
        let replaced = cache.store.as_mut().is_some_and(SlotStore::take_replaced);
        self.mark_reallocated(layer);
        self.account(layer, terms, before, replaced);
        Some(result)
    }

    /// Changes what the host knows of `layer`, whose memory stays where it is. `None` if there is
    /// no such layer.
    pub fn change_state<R>(
        &mut self,
        layer: usize,
        terms: Terms<'_>,
        change: impl FnOnce(&mut LayerState) -> R,
    ) -> Option<R> {
        let cache = self.layers.get_mut(layer)?;
        let before = cache.bytes();
        let result = change(&mut cache.state);
        self.account(layer, terms, before, false);
        Some(result)
    }

    /// Bytes now and at most.
    pub fn memory(&self) -> MemoryReport {
        MemoryReport {
            held_bytes: self.held.now,
            full_bytes: self.full.now,
            held_high_water: self.held.high,
            full_high_water: self.full.high,
        }
    }

    /// Accounts and full capacities, as a save has them.
    pub fn accounts(&self) -> (Account, Account, &[usize]) {
        (self.held, self.full, &self.full_capacities)
    }

    /// Raises the high-water marks to those of a saved cache.
    pub fn raise_high_water(&mut self, held: Account, full: Account) {
        self.held.high = held.high.max(self.held.now);
        self.full.high = full.high.max(self.full.now);
    }

    fn mark_reallocated(&mut self, layer: usize) {
        if let Some(stamp) = self.stamps.get_mut(layer) {
            *stamp = next_stamp();
        }
    }

    /// Counts `layer` after a change. `replaced`: by tensors of the same size, if its bytes are the
    /// same.
    fn account(&mut self, layer: usize, terms: Terms<'_>, before: LayerBytes, replaced: bool) {
        let cache = &self.layers[layer];
        let after = cache.bytes();
        if replaced || after != before {
            self.held.replace(before, after);
        }
        let Terms { config, reserved } = terms;
        let had = self.full_capacities[layer];
        let rules = config.rules(layer);
        let needed = match (rules.window, &cache.store) {
            (None, _) => cache.state.full_capacity(rules, reserved),
            // No policy touches it, so a full cache has just this.
            (Some(_), store) => store.as_ref().map_or(0, SlotStore::capacity),
        };
        // A full cache shrinks only when it is truncated or gives back what was reserved for its
        // prompt.
        let has = match cache.state.turn {
            Some(_) if rules.window.is_none() => needed.max(had),
            _ => needed,
        };
        if has != had {
            let [before, after] = [had, has].map(|capacity| store::full_bytes_of(config, capacity));
            self.full.replace(before, after);
            self.full_capacities[layer] = has;
        }
    }
}

impl Index<usize> for Layers {
    type Output = LayerCache;

    fn index(&self, layer: usize) -> &LayerCache {
        &self.layers[layer]
    }
}

/// A number that no other call returns.
fn next_stamp() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
