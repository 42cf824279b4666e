//! The whole prompt is kept.

use burn::tensor::Tensor;

use super::{Evidence, Needs, PrefillRule, Prompt};

pub(super) struct Full;

impl PrefillRule for Full {
    fn needs(&self) -> Needs {
        Needs::Nothing
    }

    fn keep(&self, _prompt: &Prompt) -> Option<usize> {
        None
    }

    fn score(&self, _evidence: Evidence) -> Option<Tensor<2>> {
        None
    }
}
