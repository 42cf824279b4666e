//! Counting bytes: what the cache holds, and what the same cache would hold had it evicted nothing.

use serde::{Deserialize, Serialize};

use super::store::Sizes;

/// Bytes of the cache's tensors (keys, values, positions, scores and, during a prefill, the queries that will score it),
/// for what is held and for the same sequence with `full` prefill and decoding, in the same type and blocks.
///
/// High-water marks count the moments at which a tensor is replaced and both the old and the new exist. The work space of
/// attention is not counted: it is there with any cache.
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
    /// What a full cache would hold beyond what is held; during a prefill it may be a little below 0, since the queries
    /// that will score the prompt are held too.
    pub fn saved_bytes(&self) -> i64 {
        self.full_bytes as i64 - self.held_bytes as i64
    }
}

/// Bytes now and at most, kept by going along with every replacement of a tensor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Account {
    pub now: u64,
    pub high: u64,
}

impl Account {
    /// A layer's tensors of sizes `before` give way, one after the other, to tensors of sizes `after`.
    pub fn replace(&mut self, before: Sizes, after: Sizes) {
        for (before, after) in before.into_iter().zip(after) {
            self.high = self.high.max(self.now + after);
            self.now = (self.now + after).saturating_sub(before);
        }
    }
}
