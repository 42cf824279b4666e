//! Slide, ranking by the attention of all steps instead of one. A position that every few steps ask for is then still held
//! at the steps that don't.

use super::slide::Slide;
use super::{DecodeRule, HeadSlots, RankedBy, SPLIT, Scope, Step, TurnBudgets};

pub(super) struct DecayedSlide;

impl DecodeRule for DecayedSlide {
    fn scope(&self) -> Scope {
        Scope {
            ranked_by: RankedBy::DecayedAttention,
            ..SPLIT
        }
    }

    fn keep(&self, head: HeadSlots, now: &Step) -> Option<usize> {
        Slide.keep(head, now)
    }

    fn most(&self, prefill: usize, layer: usize, budgets: &TurnBudgets) -> Option<usize> {
        Slide.most(prefill, layer, budgets)
    }
}
