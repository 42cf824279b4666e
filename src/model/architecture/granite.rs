//! Granite 3 (<https://github.com/ibm-granite/granite-3.0-language-models>): Llama's layer, with
//! scales of embedding, attention, residual and logits.

use super::ArchitectureSpec;
use crate::model::config::{GgufKeys, JsonFields, LlamaConfig};
use crate::model::error::ModelError;
use crate::model::rope::RopeLayout;

pub(super) static ARCHITECTURE: ArchitectureSpec = ArchitectureSpec {
    name: "granite",
    model_types: &["granite"],
    models: &["Granite"],
    gguf_rope: RopeLayout::Interleaved,
    read_gguf,
    read_json: read_scales,
    ..ArchitectureSpec::BASE
};

/// llama.cpp's converter writes Granite 4 without experts and Mamba layers as Granite, too.
fn read_gguf(config: &mut LlamaConfig, keys: &GgufKeys<'_>) -> Result<(), ModelError> {
    config.embedding_scale = keys.scale("embedding_scale")?.unwrap_or(1.0);
    config.logit_scale = 1.0 / keys.scale("logit_scale")?.unwrap_or(1.0);
    config.facts.residual_scale = keys.scale("residual_scale")?;
    config.facts.scale = keys.scale("attention.scale")?;
    // The key says whether there is RoPE at all.
    if keys.flag("rope.scaling.finetuned")? == Some(false) {
        config.facts.unrotated = vec![true; config.layers];
    }
    Ok(())
}

/// Reads the scales in `config.json`.
pub(super) fn read_scales(
    config: &mut LlamaConfig,
    fields: &JsonFields<'_>,
) -> Result<(), ModelError> {
    let scale = |field| Ok::<f32, ModelError>(fields.positive(field)?.unwrap_or(1.0) as f32);
    config.embedding_scale = scale("embedding_multiplier")?;
    config.logit_scale = 1.0 / scale("logits_scaling")?;
    config.facts.residual_scale = Some(scale("residual_multiplier")?);
    config.facts.scale = Some(scale("attention_multiplier")?);
    Ok(())
}
