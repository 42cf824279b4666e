//! H2O: heavy hitters of prompt and decoding compete for one budget.

use super::{DecodeRule, HeadSlots, Scope, Step, TurnBudgets, UNIFIED};

pub(super) struct H2o;

impl DecodeRule for H2o {
    fn scope(&self) -> Scope {
        UNIFIED
    }

    fn keep(&self, head: HeadSlots, now: &Step) -> Option<usize> {
        (head.decode() > now.budgets.decode).then(|| head.prefill + now.budgets.heavy())
    }

    fn most(&self, prefill: usize, _layer: usize, budgets: &TurnBudgets) -> Option<usize> {
        Some(prefill + budgets.decode + 1)
    }
}
