//! TOVA: what the newest query attends to least goes, whatever and however new it is, the new token included.

use super::{DecodeRule, HeadSlots, Scope, Step, TurnBudgets, UNIFIED};

pub(super) struct Tova;

impl DecodeRule for Tova {
    fn scope(&self) -> Scope {
        Scope {
            keeps_recent: false,
            ..UNIFIED
        }
    }

    fn keep(&self, head: HeadSlots, now: &Step) -> Option<usize> {
        (head.decode() > now.budgets.decode).then(|| head.prefill + now.budgets.decode)
    }

    fn most(&self, prefill: usize, _layer: usize, budgets: &TurnBudgets) -> Option<usize> {
        Some(prefill + budgets.decode + 1)
    }
}
