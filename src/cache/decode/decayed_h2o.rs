//! H2O over everything, ranking by the attention of all steps instead of one. The split between prompt and decoding then goes
//! where attention goes.

use super::h2o::H2o;
use super::{DecodeRule, HeadSlots, RankedBy, Scope, Step, TurnBudgets, UNIFIED};

pub(super) struct DecayedH2o;

impl DecodeRule for DecayedH2o {
    fn scope(&self) -> Scope {
        Scope {
            ranked_by: RankedBy::DecayedAttention,
            ..UNIFIED
        }
    }

    fn keep(&self, head: HeadSlots, now: &Step) -> Option<usize> {
        H2o.keep(head, now)
    }

    fn most(&self, prefill: usize, layer: usize, budgets: &TurnBudgets) -> Option<usize> {
        H2o.most(prefill, layer, budgets)
    }
}
