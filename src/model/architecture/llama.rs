//! Llama (Touvron et al., arXiv 2302.13971) and models built like it. They are SmolLM2 (arXiv
//! 2502.02737), TinyLlama (arXiv 2401.02385), Llama 3.x (arXiv 2407.21783) and Mistral (arXiv
//! 2310.06825). Granite Code (arXiv 2405.04324) and Bielik v3 have biases.
//!
//! GGUF files have the rows of queries and keys reordered, so that RoPE rotates neighbours.

use super::ArchitectureSpec;
use crate::model::rope::RopeLayout;

pub(super) static ARCHITECTURE: ArchitectureSpec = ArchitectureSpec {
    name: "llama",
    model_types: &["llama", "mistral", "ministral"],
    models: &["Llama", "Mistral"],
    gguf_rope: RopeLayout::Interleaved,
    ..ArchitectureSpec::BASE
};
