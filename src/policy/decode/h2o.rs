//! H2O: heavy hitters of prompt and output compete for one budget.

use super::{Declared, DecodeRule, Description, HeadSlots, Scope, Turn, UNIFIED};
use crate::policy::Family;

pub(super) struct H2o;

impl Declared for H2o {
    const DESCRIPTION: Description = Description {
        label: "H2O",
        about: "One ranking for prompt and output together: new tokens push the prompt out.",
        source: "Zhang et al., arXiv 2306.14048",
        family: Family::Unified,
        acts: "D > B",
        keeps: "the P + β1 best of all older positions",
    };
}

impl DecodeRule for H2o {
    fn scope(&self) -> Scope {
        UNIFIED
    }

    fn keep_count(&self, head: HeadSlots, _step: usize, turn: &Turn<'_>) -> Option<usize> {
        (head.decode() > turn.budgets.decode).then(|| head.prefill + turn.budgets.heavy())
    }

    fn max_slots(&self, prefill: usize, turn: &Turn<'_>) -> Option<usize> {
        Some(prefill + turn.budgets.decode + 1)
    }
}
