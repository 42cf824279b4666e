//! SnapKV: the positions with most attention from the observation window's queries, pooled along
//! the positions. So the neighbours of a heavy position stay with it.

use serde::{Deserialize, Serialize};

use super::{Declared, Description, Parameters, PrefillRule, Prompt, Queries, Score, Spec};
use crate::policy::{Choice, Family, MOST_TOKENS, Parameter};

/// Positions under the pooling kernel.
pub const KERNEL: Parameter<usize> = Parameter::odd(
    "kernel",
    7,
    [1, MOST_TOKENS],
    "Positions under the pooling kernel, an odd number.",
);

/// Pooling of the scores.
pub const POOLING: Parameter<Pooling> =
    Parameter::choice("pooling", "Smoothing of the scores along the positions.");

/// Smoothing of attention along the positions, before the largest are chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum Pooling {
    /// The largest score under the kernel.
    #[default]
    MaxPool,
    /// The mean of the scores under the kernel; positions beyond the ends count as zeros.
    AvgPool,
}

impl Choice for Pooling {
    const ALL: &'static [Self] = &[Self::MaxPool, Self::AvgPool];
    const NAMES: &'static [&'static str] = &["maxpool", "avgpool"];
    const TYPE_NAME: &'static str = "Pooling";
}

pub(super) struct SnapKv;

impl Declared for SnapKv {
    const DESCRIPTION: Description = Description {
        label: "SnapKV",
        about: "Keeps what the end of the prompt attends to, with its neighbours.",
        source: "Li et al., arXiv 2404.14469",
        family: Family::Prompt,
        acts: "n ≥ A",
        keeps: "the α1 positions with most attention from the window's queries, pooled",
    };
    const PARAMETERS: &'static [&'static Spec] = &[&POOLING.spec, &KERNEL.spec];
}

impl PrefillRule for SnapKv {
    fn score(&self, parameters: &Parameters) -> Score {
        Score::Pooled {
            queries: Queries::Window,
            kernel: parameters.get(&KERNEL),
            pooling: parameters.get(&POOLING),
        }
    }

    fn keep_count(&self, prompt: &Prompt<'_>) -> Option<usize> {
        Some(prompt.turn.budgets.before_window())
    }
}
