//! PyramidInfer: one budget for prompt and decoding, that falls over the layers.

use super::super::pyramid;
use super::{DecodeRule, HeadSlots, Scope, Step, TurnBudgets, UNIFIED};

pub(super) struct PyramidInfer;

/// C_l: older positions that the layer holds beside the recent ones.
fn older(layer: usize, budgets: &TurnBudgets) -> usize {
    pyramid::decode(budgets.prefill + budgets.heavy(), layer, budgets.layers)
}

impl DecodeRule for PyramidInfer {
    fn scope(&self) -> Scope {
        UNIFIED
    }

    fn keep(&self, head: HeadSlots, now: &Step) -> Option<usize> {
        let older = older(now.layer, &now.budgets);
        (head.held > older + now.budgets.recent).then_some(older)
    }

    fn most(&self, prefill: usize, layer: usize, budgets: &TurnBudgets) -> Option<usize> {
        Some(prefill.max(older(layer, budgets) + budgets.recent) + 1)
    }
}
