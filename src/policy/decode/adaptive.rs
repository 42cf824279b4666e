//! Adaptive: few heavy hitters at first, one more every δ steps.

use super::{Declared, DecodeRule, Description, HeadSlots, SPLIT, Scope, Spec, Turn};
use crate::policy::{Family, Parameter};

/// Bound of the growing budget.
///
/// β1(t) = t div δ passes β1 near the end of a generation, because δ is rounded down. The published
/// code lets it: with T = 80, B = 24 and β2 = 8 it ends at 19 instead of 16.
pub const STRICT_BUDGET: Parameter<bool> = Parameter::switch(
    "strict_budget",
    "Stays within the decode budget, which the published code exceeds near the end.",
);

pub(super) struct Adaptive;

impl Declared for Adaptive {
    const DESCRIPTION: Description = Description {
        label: "SCOPE adaptive",
        about: "SCOPE: a budget that grows with the output, so that early steps cost less.",
        source: "Wu et al., arXiv 2412.13649",
        family: Family::Scope,
        acts: "D ≥ β2 + t div δ",
        keeps: "the prompt's, and the t div δ best of the older decode positions",
    };
    const PARAMETERS: &'static [&'static Spec] = &[&STRICT_BUDGET.spec];
}

/// β1(t) = t div δ: the heavy hitters at step `step`.
fn heavy(step: usize, turn: &Turn<'_>) -> usize {
    let grown = step / turn.budgets.interval();
    if turn.get(&STRICT_BUDGET) {
        grown.min(turn.budgets.heavy())
    } else {
        grown
    }
}

impl DecodeRule for Adaptive {
    fn scope(&self) -> Scope {
        SPLIT
    }

    fn keep_count(&self, head: HeadSlots, step: usize, turn: &Turn<'_>) -> Option<usize> {
        let heavy = heavy(step, turn);
        (head.decode() >= turn.budgets.recent + heavy).then_some(heavy)
    }

    fn max_slots(&self, prefill: usize, turn: &Turn<'_>) -> Option<usize> {
        let last = turn.budgets.expected.saturating_sub(1);
        Some(prefill + turn.budgets.recent + heavy(last, turn) + 1)
    }

    fn min_budget(&self, recent: usize) -> usize {
        // δ divides by β1.
        recent + 1
    }
}
