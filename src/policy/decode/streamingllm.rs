//! StreamingLLM: the first positions, as attention sinks, and the recent ones.

use super::{Declared, DecodeRule, Description, HeadSlots, RankedBy, Scope, Turn, UNIFIED};
use crate::policy::Family;

pub(super) struct StreamingLlm;

impl Declared for StreamingLlm {
    const DESCRIPTION: Description = Description {
        label: "StreamingLLM",
        about: "The first positions and the newest; nothing between.",
        source: "Xiao et al., arXiv 2309.17453",
        family: Family::Unified,
        acts: "D > B",
        keeps: "the first P + β1 of all older positions",
    };
}

impl DecodeRule for StreamingLlm {
    fn scope(&self) -> Scope {
        Scope {
            ranked_by: RankedBy::Position,
            ..UNIFIED
        }
    }

    fn keep_count(&self, head: HeadSlots, _step: usize, turn: &Turn<'_>) -> Option<usize> {
        (head.decode() > turn.budgets.decode).then(|| head.prefill + turn.budgets.heavy())
    }

    fn max_slots(&self, prefill: usize, turn: &Turn<'_>) -> Option<usize> {
        Some(prefill + turn.budgets.decode + 1)
    }
}
