//! Llama (Touvron et al., arXiv 2302.13971) and models built like it. They are SmolLM2 (arXiv
//! 2502.02737), TinyLlama (arXiv 2401.02385), Llama 3.x (arXiv 2407.21783) and Mistral (arXiv
//! 2310.06825).
//!
//! GGUF files have the rows of queries and keys reordered, so that RoPE rotates neighbours.

use super::ArchitectureSpec;
use super::names::{ENDS, LAYER, TensorNames};
use crate::model::rope::RopeLayout;

pub(super) static ARCHITECTURE: ArchitectureSpec = ArchitectureSpec {
    name: "llama",
    model_types: &["llama", "mistral"],
    models: &["Llama", "Mistral"],
    gguf_rope: RopeLayout::Interleaved,
    hugging_face_rope: RopeLayout::Halves,
    head_dim: None,
    asks_for_window: false,
    tensors: TensorNames {
        ends: &ENDS,
        layer: &[&LAYER],
    },
    layer: |llama, _| llama,
};
