//! StreamingLLM: the earliest positions, as attention sinks, and the window.

use super::{Declared, Description, Parameters, PrefillRule, Prompt, Score};
use crate::policy::Family;

pub(super) struct StreamingLlm;

impl Declared for StreamingLlm {
    const DESCRIPTION: Description = Description {
        label: "StreamingLLM",
        about: "Keeps the first and the last positions, whatever they say.",
        source: "Xiao et al., arXiv 2309.17453",
        family: Family::Prompt,
        acts: "n ≥ A",
        keeps: "the first α1 positions",
    };
}

impl PrefillRule for StreamingLlm {
    fn score(&self, _parameters: &Parameters) -> Score {
        Score::Position
    }

    fn keep_count(&self, prompt: &Prompt<'_>) -> Option<usize> {
        Some(prompt.turn.budgets.before_window())
    }
}
