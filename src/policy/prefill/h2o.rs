//! H2O: the positions with most attention from all queries of the prompt, under the causal mask.
//!
//! The published SCOPE code masks only its last window, so that earlier queries see later keys.
//! That is not carried over.

use super::{Declared, Description, Parameters, PrefillRule, Prompt, Queries, Score};
use crate::policy::Family;

pub(super) struct H2o;

impl Declared for H2o {
    const DESCRIPTION: Description = Description {
        label: "H2O",
        about: "Keeps the positions that drew most attention from the whole prompt.",
        source: "Zhang et al., arXiv 2306.14048",
        family: Family::Prompt,
        acts: "n ≥ A",
        keeps: "the α1 positions with most attention from all queries",
    };
}

impl PrefillRule for H2o {
    fn score(&self, _parameters: &Parameters) -> Score {
        Score::Attention {
            queries: Queries::Every,
        }
    }

    fn keep_count(&self, prompt: &Prompt<'_>) -> Option<usize> {
        Some(prompt.turn.budgets.before_window())
    }
}
