//! Slide: the decode budget is full from the start and slides along.

use super::{DecodeRule, HeadSlots, SPLIT, Scope, Step, TurnBudgets};

pub(super) struct Slide;

impl DecodeRule for Slide {
    fn scope(&self) -> Scope {
        SPLIT
    }

    fn keep(&self, head: HeadSlots, now: &Step) -> Option<usize> {
        (head.decode() > now.budgets.decode).then(|| now.budgets.heavy())
    }

    fn most(&self, prefill: usize, _layer: usize, budgets: &TurnBudgets) -> Option<usize> {
        Some(prefill + budgets.decode + 1)
    }
}
