//! PyramidInfer: H2O's scores within PyramidKV's layer budgets.

use super::h2o::H2o;
use super::pyramidkv::{PYRAMID_BETA, layer_budget};
use super::{Declared, Description, Parameters, PrefillRule, Prompt, Score, Spec};
use crate::policy::Family;

pub(super) struct PyramidInfer;

impl Declared for PyramidInfer {
    const DESCRIPTION: Description = Description {
        label: "PyramidInfer",
        about: "As H2O, with more for early layers and less for late ones.",
        source: "Yang et al., arXiv 2405.12532",
        family: Family::Prompt,
        acts: "n ≥ A",
        keeps: "as `h2o`, within `pyramidkv`'s budgets",
    };
    const PARAMETERS: &'static [&'static Spec] = &[&PYRAMID_BETA.spec];
}

impl PrefillRule for PyramidInfer {
    fn score(&self, parameters: &Parameters) -> Score {
        H2o.score(parameters)
    }

    fn keep_count(&self, prompt: &Prompt<'_>) -> Option<usize> {
        Some(layer_budget(prompt))
    }
}
