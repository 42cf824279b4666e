//! Decayed: any strategy, ranking by the attention of all steps since the prompt instead of one.
//!
//! s(t) = γ · s(t − 1) + a(t), where a(t) is the score of step t alone and s(0) = a(0). A position
//! that draws attention every few steps is then still held at the steps between. With H2O inside,
//! the split between prompt and output follows attention.

use super::h2o::H2o;
use super::slide::Slide;
use super::{Declared, DecodeRule, Description, HeadSlots, Scope, Spec, Turn};
use crate::policy::{Family, Parameter};

/// γ: factor by which a step's scores carry over into the next step's.
pub const DECAY: Parameter<f32> = Parameter::share(
    "decay",
    0.99,
    "γ: factor by which a step's scores carry over into the next step's, from 0 to 1.",
);

pub(super) struct Decayed<R>(pub(super) R);

impl Declared for Decayed<Slide> {
    const DESCRIPTION: Description = Description {
        label: "decayed slide",
        about: "As slide, by the attention of all steps instead of one, the older the less. \
                Not the paper's.",
        source: "this project",
        family: Family::Own,
        acts: "as `slide`",
        keeps: "as `slide`, by decayed scores",
    };
    const PARAMETERS: &'static [&'static Spec] = &[&DECAY.spec];
}

impl Declared for Decayed<H2o> {
    const DESCRIPTION: Description = Description {
        label: "decayed H2O",
        about: "As H2O, by the attention of all steps instead of one, the older the less. \
                Not the paper's.",
        source: "this project",
        family: Family::Own,
        acts: "as `h2o`",
        keeps: "as `h2o`, by decayed scores",
    };
    const PARAMETERS: &'static [&'static Spec] = &[&DECAY.spec];
}

impl<R: DecodeRule> DecodeRule for Decayed<R> {
    fn scope(&self) -> Scope {
        self.0.scope()
    }

    fn keep_count(&self, head: HeadSlots, step: usize, turn: &Turn<'_>) -> Option<usize> {
        self.0.keep_count(head, step, turn)
    }

    fn skips(&self, turn: &Turn<'_>) -> usize {
        self.0.skips(turn)
    }

    fn max_slots(&self, prefill: usize, turn: &Turn<'_>) -> Option<usize> {
        self.0.max_slots(prefill, turn)
    }

    fn carry(&self, turn: &Turn<'_>) -> Option<f32> {
        Some(turn.get(&DECAY))
    }

    fn min_budget(&self, recent: usize) -> usize {
        self.0.min_budget(recent)
    }
}

#[cfg(test)]
mod tests {
    use super::super::discontinuous::Discontinuous;
    use super::*;
    use crate::policy::{Policy, TurnBudgets};

    #[test]
    fn a_wrapped_rule_keeps_everything_but_its_scores() {
        let policy = Policy::default();
        let budgets = TurnBudgets::resolve(&policy, 4, 3000);
        let turn = Turn::new(&policy, budgets, 1);
        let (plain, decayed) = (Discontinuous, Decayed(Discontinuous));
        assert!(plain.skips(&turn) > 1);
        assert_eq!(decayed.skips(&turn), plain.skips(&turn));
        assert_eq!(decayed.scope(), plain.scope());
        assert_eq!(decayed.max_slots(2048, &turn), plain.max_slots(2048, &turn));
        assert_eq!(decayed.min_budget(8), plain.min_budget(8));
        assert_eq!(
            (plain.carry(&turn), decayed.carry(&turn)),
            (None, Some(0.99))
        );
        let head = HeadSlots {
            prefill: 2048,
            held: 3000,
        };
        let kept = plain.keep_count(head, 900, &turn);
        assert_eq!(decayed.keep_count(head, 900, &turn), kept);
    }
}
