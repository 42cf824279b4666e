//! Full: the whole prompt is kept.

use super::{Declared, Description, Parameters, PrefillRule, Prompt, Score};
use crate::policy::Family;

pub(super) struct Full;

impl Declared for Full {
    const DESCRIPTION: Description = Description {
        label: "Full",
        about: "Keeps the whole prompt.",
        source: "",
        family: Family::Full,
        acts: "never",
        keeps: "everything",
    };
}

impl PrefillRule for Full {
    fn score(&self, _parameters: &Parameters) -> Score {
        Score::Position
    }

    fn keep_count(&self, _prompt: &Prompt<'_>) -> Option<usize> {
        None
    }

    fn min_budget(&self, _window: usize) -> usize {
        1
    }
}
