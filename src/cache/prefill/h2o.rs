//! H2O: attention from every query of the prompt, under the causal mask, summed. The published SCOPE code masks only its
//! last window, so that earlier queries see later keys; that is not carried over.

use burn::tensor::Tensor;

use super::{Evidence, Needs, PrefillRule, Prompt};

pub(super) struct H2o;

impl PrefillRule for H2o {
    fn needs(&self) -> Needs {
        Needs::EveryQuery
    }

    fn keep(&self, prompt: &Prompt) -> Option<usize> {
        Some(prompt.budgets.before_window())
    }

    fn score(&self, evidence: Evidence) -> Option<Tensor<2>> {
        Some(evidence.attention)
    }
}
