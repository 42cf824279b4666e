//! Qwen3 (arXiv 2505.09388, section 2): Llama's layer, with a norm of each query and key head.

use super::ArchitectureSpec;
use super::names::{ENDS, HEAD_NORMS, LAYER, TensorNames};
use crate::model::rope::RopeLayout;
use crate::model::spec::LayerSpec;

pub(super) static ARCHITECTURE: ArchitectureSpec = ArchitectureSpec {
    name: "qwen3",
    model_types: &["qwen3"],
    models: &["Qwen3"],
    gguf_rope: RopeLayout::Halves,
    hugging_face_rope: RopeLayout::Halves,
    head_dim: Some(128),
    asks_for_window: true,
    tensors: TensorNames {
        ends: &ENDS,
        layer: &[&LAYER, &HEAD_NORMS],
    },
    layer: |llama, _| LayerSpec {
        head_norms: true,
        ..llama
    },
};
