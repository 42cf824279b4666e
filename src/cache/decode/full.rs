//! Nothing is evicted.

use super::{DecodeRule, HeadSlots, SPLIT, Scope, Step, TurnBudgets};

pub(super) struct Full;

impl DecodeRule for Full {
    fn scope(&self) -> Scope {
        SPLIT
    }

    fn keep(&self, _head: HeadSlots, _now: &Step) -> Option<usize> {
        None
    }

    fn most(&self, _prefill: usize, _layer: usize, _budgets: &TurnBudgets) -> Option<usize> {
        None
    }
}
