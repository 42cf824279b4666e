//! Bytes of the cache and of a full one, and the slots that are allocated.

use serde::{Deserialize, Serialize};

/// Bytes of keys, values, positions, scores and, during a prefill, the queries that will score it.
/// The full cache is that of the same sequence under `full` prefill and decoding. It has the same
/// blocks, and is always in f16.
///
/// High-water marks include the moments at which a tensor is replaced, when the old and the new one
/// exist. Attention's scratch memory is not counted: any cache has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct MemoryReport {
    /// Bytes held now.
    pub held_bytes: u64,
    /// Bytes that a full cache would hold now.
    pub full_bytes: u64,
    /// The most bytes held so far.
    pub held_high_water: u64,
    /// The most bytes that a full cache would have held so far.
    pub full_high_water: u64,
}

impl MemoryReport {
    /// Bytes of a full cache minus those held. Slightly negative during a prefill, while queries
    /// are held too.
    pub fn saved_bytes(&self) -> i64 {
        self.full_bytes as i64 - self.held_bytes as i64
    }
}

/// Bytes of one layer's tensors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LayerBytes {
    pub keys: u64,
    pub values: u64,
    pub positions: u64,
    pub scores: u64,
    /// Mean keys and balances of framed types.
    pub frame: u64,
    /// Queries of an open prefill, and their squares.
    pub queries: u64,
}

impl LayerBytes {
    /// The tensors one by one, in the order in which they are replaced.
    pub fn each(self) -> [u64; 6] {
        [
            self.keys,
            self.values,
            self.positions,
            self.scores,
            self.frame,
            self.queries,
        ]
    }
}

/// Bytes now and at most, updated at every replacement of a tensor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Account {
    pub now: u64,
    pub high: u64,
}

impl Account {
    /// Replaces a layer's tensors, one after the other.
    pub fn replace(&mut self, before: LayerBytes, after: LayerBytes) {
        for (before, after) in before.each().into_iter().zip(after.each()) {
            self.high = self.high.max(self.now + after);
            self.now = (self.now + after).saturating_sub(before);
        }
    }
}
