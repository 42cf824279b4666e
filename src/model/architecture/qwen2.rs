//! Qwen2 and Qwen2.5 (arXiv 2407.10671, section 2.2): Llama's layer, with biases of queries, keys
//! and values.

use super::ArchitectureSpec;
use super::names::{BIASES, ENDS, LAYER, TensorNames};
use crate::model::rope::RopeLayout;
use crate::model::spec::{Biases, LayerSpec};

pub(super) static ARCHITECTURE: ArchitectureSpec = ArchitectureSpec {
    name: "qwen2",
    model_types: &["qwen2"],
    models: &["Qwen2"],
    gguf_rope: RopeLayout::Halves,
    hugging_face_rope: RopeLayout::Halves,
    head_dim: None,
    asks_for_window: true,
    tensors: TensorNames {
        ends: &ENDS,
        layer: &[&LAYER, &BIASES],
    },
    layer: |llama, _| LayerSpec {
        biases: Biases {
            query_key_value: true,
            ..llama.biases
        },
        ..llama
    },
};
