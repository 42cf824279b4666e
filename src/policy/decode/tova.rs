//! TOVA: the position that the newest query attends to least goes, however new it is.

use super::{Declared, DecodeRule, Description, HeadSlots, Scope, Turn, UNIFIED};
use crate::policy::Family;

pub(super) struct Tova;

impl Declared for Tova {
    const DESCRIPTION: Description = Description {
        label: "TOVA",
        about: "Drops what the newest token attends to least, prompt or not.",
        source: "Oren et al., arXiv 2401.06104",
        family: Family::Unified,
        acts: "D > B",
        keeps: "the P + B best of all positions; β2 does not apply",
    };
}

impl DecodeRule for Tova {
    fn scope(&self) -> Scope {
        Scope {
            keeps_recent: false,
            ..UNIFIED
        }
    }

    fn keep_count(&self, head: HeadSlots, _step: usize, turn: &Turn<'_>) -> Option<usize> {
        (head.decode() > turn.budgets.decode).then(|| head.prefill + turn.budgets.decode)
    }

    fn max_slots(&self, prefill: usize, turn: &Turn<'_>) -> Option<usize> {
        Some(prefill + turn.budgets.decode + 1)
    }
}
