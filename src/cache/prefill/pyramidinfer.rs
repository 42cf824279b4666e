//! PyramidInfer: H2O's scores within PyramidKV's layer budgets.

use burn::tensor::Tensor;

use super::h2o::H2o;
use super::pyramidkv::layer_budget;
use super::{Evidence, Needs, PrefillRule, Prompt};

pub(super) struct PyramidInfer;

impl PrefillRule for PyramidInfer {
    fn needs(&self) -> Needs {
        Needs::EveryQuery
    }

    fn keep(&self, prompt: &Prompt) -> Option<usize> {
        Some(layer_budget(prompt))
    }

    fn score(&self, evidence: Evidence) -> Option<Tensor<2>> {
        H2o.score(evidence)
    }
}
