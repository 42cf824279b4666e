//! Full: nothing is evicted.

use super::{Declared, DecodeRule, Description, HeadSlots, SPLIT, Scope, Turn};
use crate::policy::Family;

pub(super) struct Full;

impl Declared for Full {
    const DESCRIPTION: Description = Description {
        label: "Full",
        about: "Keeps every token that decoding adds.",
        source: "",
        family: Family::Full,
        acts: "never",
        keeps: "everything",
    };
}

impl DecodeRule for Full {
    fn scope(&self) -> Scope {
        SPLIT
    }

    fn keep_count(&self, _head: HeadSlots, _step: usize, _turn: &Turn<'_>) -> Option<usize> {
        None
    }

    fn max_slots(&self, _prefill: usize, _turn: &Turn<'_>) -> Option<usize> {
        None
    }

    fn min_budget(&self, _recent: usize) -> usize {
        1
    }
}
