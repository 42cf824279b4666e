//! Ministral 3 (<https://mistral.ai/news/mistral-3>): Llama's layer, stretched by YaRN. Queries
//! grow with the logarithm of the position.

use super::ArchitectureSpec;
use crate::model::config::{GgufKeys, JsonFields, LlamaConfig};
use crate::model::error::ModelError;
use crate::model::rope::RopeLayout;
use crate::model::spec::QueryGrowth;

pub(super) static ARCHITECTURE: ArchitectureSpec = ArchitectureSpec {
    name: "mistral3",
    model_types: &["ministral3"],
    models: &["Ministral 3"],
    gguf_rope: RopeLayout::Interleaved,
    head_dim: Some(128),
    read_gguf,
    read_json,
    ..ArchitectureSpec::BASE
};

fn read_gguf(config: &mut LlamaConfig, keys: &GgufKeys<'_>) -> Result<(), ModelError> {
    let beta = keys.float("attention.temperature_scale")?;
    if let Some(beta) = beta.filter(|beta| *beta != 0.0) {
        config.facts.query_growth = Some(QueryGrowth {
            beta,
            length: keys.at_least_one("rope.scaling.original_context_length")?,
        });
    }
    Ok(())
}

fn read_json(config: &mut LlamaConfig, fields: &JsonFields<'_>) -> Result<(), ModelError> {
    let rope = fields.rope();
    if let Some(beta) = rope.number("llama_4_scaling_beta")? {
        config.facts.query_growth = Some(QueryGrowth {
            beta: beta as f32,
            length: rope.original_context(config)?,
        });
    }
    Ok(())
}
