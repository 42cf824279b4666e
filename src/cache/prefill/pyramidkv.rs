//! PyramidKV: SnapKV's scores within a budget that falls over the layers.

use burn::tensor::Tensor;

use super::super::pyramid;
use super::snapkv::SnapKv;
use super::{Evidence, Needs, PrefillRule, Prompt};

pub(super) struct PyramidKv;

/// What layer `prompt.layer` keeps before the window; `pyramidinfer` shares it.
pub(super) fn layer_budget(prompt: &Prompt) -> usize {
    pyramid::prefill(
        prompt.budgets.before_window(),
        prompt.budgets.pyramid_beta,
        prompt.length,
        prompt.before_window(),
        prompt.layer,
        prompt.budgets.layers,
    )
}

impl PrefillRule for PyramidKv {
    fn needs(&self) -> Needs {
        Needs::WindowQueries
    }

    fn keep(&self, prompt: &Prompt) -> Option<usize> {
        Some(layer_budget(prompt))
    }

    fn score(&self, evidence: Evidence) -> Option<Tensor<2>> {
        SnapKv.score(evidence)
    }
}
