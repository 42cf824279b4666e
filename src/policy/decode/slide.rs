//! Slide: the decode budget is full from the start and slides along.

use super::{Declared, DecodeRule, Description, HeadSlots, SPLIT, Scope, Turn};
use crate::policy::Family;

pub(super) struct Slide;

impl Declared for Slide {
    const DESCRIPTION: Description = Description {
        label: "SCOPE slide",
        about: "SCOPE: a fixed budget from the start; the prompt's slots are never touched.",
        source: "Wu et al., arXiv 2412.13649",
        family: Family::Scope,
        acts: "D > B",
        keeps: "the prompt's, and the β1 best of the older decode positions",
    };
}

impl DecodeRule for Slide {
    fn scope(&self) -> Scope {
        SPLIT
    }

    fn keep_count(&self, head: HeadSlots, _step: usize, turn: &Turn<'_>) -> Option<usize> {
        (head.decode() > turn.budgets.decode).then(|| turn.budgets.heavy())
    }

    fn max_slots(&self, prefill: usize, turn: &Turn<'_>) -> Option<usize> {
        Some(prefill + turn.budgets.decode + 1)
    }
}
