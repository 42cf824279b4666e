//! Adaptive: few heavy hitters at first, one more every δ steps.

use super::{DecodeRule, HeadSlots, SPLIT, Scope, Step, TurnBudgets};

pub(super) struct Adaptive;

impl DecodeRule for Adaptive {
    fn scope(&self) -> Scope {
        SPLIT
    }

    fn keep(&self, head: HeadSlots, now: &Step) -> Option<usize> {
        let heavy = now.budgets.growing_heavy(now.step);
        (head.decode() >= now.budgets.recent + heavy).then_some(heavy)
    }

    fn most(&self, prefill: usize, _layer: usize, budgets: &TurnBudgets) -> Option<usize> {
        let last = budgets.growing_heavy(budgets.expected.saturating_sub(1));
        Some(prefill + budgets.recent + last + 1)
    }

    fn needs_heavy(&self) -> bool {
        true
    }
}
