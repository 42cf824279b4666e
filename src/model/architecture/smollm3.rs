//! SmolLM3 (<https://huggingface.co/blog/smollm3>): Llama's layer, but each fourth has no RoPE.

use super::ArchitectureSpec;
use crate::model::config::{JsonFields, LlamaConfig};
use crate::model::error::ModelError;
use crate::model::rope::RopeLayout;

/// Layers of which the last has no RoPE.
const INTERVAL: usize = 4;

pub(super) static ARCHITECTURE: ArchitectureSpec = ArchitectureSpec {
    name: "smollm3",
    model_types: &["smollm3"],
    models: &["SmolLM3"],
    gguf_rope: RopeLayout::Interleaved,
    rope_base: 2_000_000.0,
    asks_for_window: true,
    tied: true,
    read_gguf: |config, _| {
        config.facts.unrotated = unrotated(INTERVAL, config.layers);
        Ok(())
    },
    read_json,
    ..ArchitectureSpec::BASE
};

fn read_json(config: &mut LlamaConfig, fields: &JsonFields<'_>) -> Result<(), ModelError> {
    let rotated = fields.counts("no_rope_layers", config.layers)?;
    config.facts.unrotated = match rotated {
        // 1 for a layer with RoPE, whatever the field is called.
        Some(rotated) => rotated.into_iter().map(|flag| flag == 0).collect(),
        None => {
            let interval = fields.count("no_rope_layer_interval")?;
            unrotated(interval.unwrap_or(INTERVAL), config.layers)
        }
    };
    Ok(())
}

fn unrotated(interval: usize, layers: usize) -> Vec<bool> {
    let is_last = |layer: usize| (layer + 1).is_multiple_of(interval.max(1));
    (0..layers).map(is_last).collect()
}
