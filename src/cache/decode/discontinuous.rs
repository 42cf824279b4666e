//! Discontinuous: the adaptive budget, with a selection only once in a while.

use super::adaptive::Adaptive;
use super::{DecodeRule, HeadSlots, Scope, Step, TurnBudgets};

pub(super) struct Discontinuous;

impl DecodeRule for Discontinuous {
    fn scope(&self) -> Scope {
        Adaptive.scope()
    }

    fn keep(&self, head: HeadSlots, now: &Step) -> Option<usize> {
        Adaptive.keep(head, now)
    }

    fn patience(&self, budgets: &TurnBudgets) -> usize {
        budgets.interval()
    }

    fn most(&self, prefill: usize, layer: usize, budgets: &TurnBudgets) -> Option<usize> {
        Adaptive
            .most(prefill, layer, budgets)
            .map(|most| most + self.patience(budgets))
    }

    fn needs_heavy(&self) -> bool {
        true
    }
}
