//! Discontinuous: the adaptive budget, with a selection only once every δ steps.

use super::adaptive::{Adaptive, STRICT_BUDGET};
use super::{Declared, DecodeRule, Description, HeadSlots, Scope, Spec, Turn};
use crate::policy::Family;

pub(super) struct Discontinuous;

impl Declared for Discontinuous {
    const DESCRIPTION: Description = Description {
        label: "SCOPE discontinuous",
        about: "SCOPE: as adaptive, but it evicts every so many steps, which saves time.",
        source: "Wu et al., arXiv 2412.13649",
        family: Family::Scope,
        acts: "as `adaptive`, after passing over δ steps at which it would act",
        keeps: "as `adaptive`",
    };
    const PARAMETERS: &'static [&'static Spec] = &[&STRICT_BUDGET.spec];
}

impl DecodeRule for Discontinuous {
    fn scope(&self) -> Scope {
        Adaptive.scope()
    }

    fn keep_count(&self, head: HeadSlots, step: usize, turn: &Turn<'_>) -> Option<usize> {
        Adaptive.keep_count(head, step, turn)
    }

    fn skips(&self, turn: &Turn<'_>) -> usize {
        turn.budgets.interval()
    }

    fn max_slots(&self, prefill: usize, turn: &Turn<'_>) -> Option<usize> {
        let most = Adaptive.max_slots(prefill, turn);
        most.map(|most| most + self.skips(turn))
    }

    fn min_budget(&self, recent: usize) -> usize {
        Adaptive.min_budget(recent)
    }
}
