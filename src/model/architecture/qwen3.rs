//! Qwen3 (arXiv 2505.09388, section 2): Llama's layer, with a norm of each query and key head.

use super::ArchitectureSpec;
use super::names::{BIASES, ENDS, LAYER, QUERY_KEY_NORMS, TensorNames};
use crate::model::spec::{LayerSpec, NormSpan};

pub(super) static ARCHITECTURE: ArchitectureSpec = ArchitectureSpec {
    name: "qwen3",
    model_types: &["qwen3"],
    models: &["Qwen3"],
    head_dim: Some(128),
    asks_for_window: true,
    tensors: TensorNames {
        ends: &ENDS,
        layer: &[&LAYER, &BIASES, &QUERY_KEY_NORMS],
    },
    layer: |llama, _| LayerSpec {
        query_key_norms: Some(NormSpan::Head),
        ..llama
    },
    ..ArchitectureSpec::BASE
};
