//! StreamingLLM: the earliest positions and the window.

use burn::tensor::Tensor;

use super::{Evidence, Needs, PrefillRule, Prompt};

pub(super) struct StreamingLlm;

impl PrefillRule for StreamingLlm {
    fn needs(&self) -> Needs {
        Needs::Nothing
    }

    fn keep(&self, prompt: &Prompt) -> Option<usize> {
        Some(prompt.budgets.before_window())
    }

    fn score(&self, _evidence: Evidence) -> Option<Tensor<2>> {
        None
    }
}
