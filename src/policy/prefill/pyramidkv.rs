//! PyramidKV: SnapKV's scores within a budget that falls over the layers.

use super::snapkv::{KERNEL, POOLING, SnapKv};
use super::{Declared, Description, Parameters, PrefillRule, Prompt, Score, Spec};
use crate::policy::{Family, MOST_TOKENS, Parameter, pyramid};

/// β of the pyramid: its last layer gets α1 div β.
pub const PYRAMID_BETA: Parameter<usize> = Parameter::count(
    "pyramid_beta",
    20,
    [1, MOST_TOKENS],
    "β of the pyramid: its last layer gets α1 div β.",
);

pub(super) struct PyramidKv;

impl Declared for PyramidKv {
    const DESCRIPTION: Description = Description {
        label: "PyramidKV",
        about: "As SnapKV, with more for early layers and less for late ones.",
        source: "Cai et al., arXiv 2406.02069",
        family: Family::Prompt,
        acts: "n ≥ A",
        keeps: "as `snapkv`, within a budget that falls over the layers",
    };
    const PARAMETERS: &'static [&'static Spec] = &[&POOLING.spec, &KERNEL.spec, &PYRAMID_BETA.spec];
}

/// Positions that the prompt's layer keeps before the window.
pub(super) fn layer_budget(prompt: &Prompt<'_>) -> usize {
    let Prompt { length, turn } = prompt;
    pyramid::prefill(
        turn.budgets.before_window(),
        turn.get(&PYRAMID_BETA),
        *length,
        prompt.before_window(),
        turn.layer,
        turn.budgets.layers,
    )
}

impl PrefillRule for PyramidKv {
    fn score(&self, parameters: &Parameters) -> Score {
        SnapKv.score(parameters)
    }

    fn keep_count(&self, prompt: &Prompt<'_>) -> Option<usize> {
        Some(layer_budget(prompt))
    }
}
