//! Phi-3 (arXiv 2404.14219) and Phi-4-mini (arXiv 2503.01743): Llama's layer. Files have queries,
//! keys and values joined, and gate and up. Of a head a part may be rotated, and stretched by
//! LongRoPE.

use super::ArchitectureSpec;
use super::names::{ATTENTION, BIASES, ENDS, NORMS_BEFORE, TensorNames};
use crate::model::weight::LayerPart;

/// Joined matrices. GGUF files have gate and up under the name of up.
const JOINED: [(LayerPart, &str, &str); 3] = [
    (
        LayerPart::QueryKeyValue,
        "attn_qkv.weight",
        "self_attn.qkv_proj.weight",
    ),
    (
        LayerPart::GateUp,
        "ffn_up.weight",
        "mlp.gate_up_proj.weight",
    ),
    (LayerPart::Down, "ffn_down.weight", "mlp.down_proj.weight"),
];

pub(super) static ARCHITECTURE: ArchitectureSpec = ArchitectureSpec {
    name: "phi3",
    model_types: &["phi3"],
    models: &["Phi-3", "Phi-4-mini"],
    partial_rotary: true,
    tensors: TensorNames {
        ends: &ENDS,
        layer: &[&NORMS_BEFORE, &ATTENTION, &JOINED, &BIASES],
    },
    ..ArchitectureSpec::BASE
};
