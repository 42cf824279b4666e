//! PyramidInfer: one budget for prompt and output, which falls over the layers.

use super::{Declared, DecodeRule, Description, HeadSlots, Scope, Turn, UNIFIED};
use crate::policy::{Family, pyramid};

pub(super) struct PyramidInfer;

impl Declared for PyramidInfer {
    const DESCRIPTION: Description = Description {
        label: "PyramidInfer",
        about: "One ranking for prompt and output, with less for late layers.",
        source: "Yang et al., arXiv 2405.12532",
        family: Family::Unified,
        acts: "more than C_l + β2 held",
        keeps: "the C_l best of all older positions; C_l falls over the layers",
    };
}

/// C_l: older positions that the layer holds beside the recent ones.
fn older(turn: &Turn<'_>) -> usize {
    let mean = turn.budgets.prefill + turn.budgets.heavy();
    pyramid::decode(mean, turn.layer, turn.budgets.layers)
}

impl DecodeRule for PyramidInfer {
    fn scope(&self) -> Scope {
        UNIFIED
    }

    fn keep_count(&self, head: HeadSlots, _step: usize, turn: &Turn<'_>) -> Option<usize> {
        let older = older(turn);
        (head.held > older + turn.budgets.recent).then_some(older)
    }

    fn max_slots(&self, prefill: usize, turn: &Turn<'_>) -> Option<usize> {
        Some(prefill.max(older(turn) + turn.budgets.recent) + 1)
    }
}
