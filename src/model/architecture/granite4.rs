//! Granite 4 (<https://www.ibm.com/granite/docs/models/granite>) without experts and Mamba layers:
//! Granite 3's layer. Safetensors have gate and up joined.
//!
//! llama.cpp's converter writes such models as Granite.

use super::ArchitectureSpec;
use super::granite::read_scales;
use super::names::{ATTENTION, BIASES, ENDS, NORMS_BEFORE, TensorNames};
use crate::model::config::{JsonFields, LlamaConfig};
use crate::model::error::ModelError;
use crate::model::rope::RopeLayout;
use crate::model::weight::LayerPart;

#[rustfmt::skip]
const FEED_FORWARD: [(LayerPart, &str, &str); 4] = [
    (LayerPart::Gate, "ffn_gate.weight", ""),
    (LayerPart::Up, "ffn_up.weight", ""),
    (LayerPart::GateUp, "", "shared_mlp.input_linear.weight"),
    (LayerPart::Down, "ffn_down.weight", "shared_mlp.output_linear.weight"),
];

pub(super) static ARCHITECTURE: ArchitectureSpec = ArchitectureSpec {
    name: "granitehybrid",
    model_types: &["granitemoehybrid"],
    models: &["Granite 4"],
    gguf_rope: RopeLayout::Interleaved,
    tensors: TensorNames {
        ends: &ENDS,
        layer: &[&NORMS_BEFORE, &ATTENTION, &FEED_FORWARD, &BIASES],
    },
    read_gguf: |_, keys| keys.refuse_size("ssm.state_size"),
    read_json,
    ..ArchitectureSpec::BASE
};

fn read_json(config: &mut LlamaConfig, fields: &JsonFields<'_>) -> Result<(), ModelError> {
    fields.expect_text("normalization_function", "rmsnorm")?;
    fields.expect_attention("layer_types", config.layers)?;
    if let Some(size) = fields.count("shared_intermediate_size")? {
        config.feed_forward = size;
    }
    if fields.text("position_embedding_type")? != Some("rope") {
        config.facts.unrotated = vec![true; config.layers];
    }
    read_scales(config, fields)
}
