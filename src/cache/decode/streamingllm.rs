//! StreamingLLM: the first positions, as attention sinks, and the recent ones.

use super::{DecodeRule, HeadSlots, RankedBy, Scope, Step, TurnBudgets, UNIFIED};

pub(super) struct StreamingLlm;

impl DecodeRule for StreamingLlm {
    fn scope(&self) -> Scope {
        Scope {
            ranked_by: RankedBy::Position,
            ..UNIFIED
        }
    }

    fn keep(&self, head: HeadSlots, now: &Step) -> Option<usize> {
        (head.decode() > now.budgets.decode).then(|| head.prefill + now.budgets.heavy())
    }

    fn most(&self, prefill: usize, _layer: usize, budgets: &TurnBudgets) -> Option<usize> {
        Some(prefill + budgets.decode + 1)
    }
}
