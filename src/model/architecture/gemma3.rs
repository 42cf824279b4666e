//! Gemma 3's text models (arXiv 2503.19786, section 2). Norms are before and after attention and
//! feed-forward, the activation is GELU, queries and keys are normed head by head. Of six layers
//! five have a window and a RoPE of their own.
//!
//! Safetensors have the weights of norms less 1.

use super::ArchitectureSpec;
use super::names::{
    ATTENTION, BIASES, ENDS, GATED, NORMS_AFTER, NORMS_BEFORE_OTHERS, QUERY_KEY_NORMS, TensorNames,
};
use crate::kernels::attention_scale;
use crate::model::config::{GgufKeys, JsonFields, LlamaConfig};
use crate::model::error::ModelError;
use crate::model::rope::{RopeConfig, RopeScaling};
use crate::model::spec::{Activation, LayerSpec, NormPlaces, NormSpan};

/// Layers of which the last has no window.
const PATTERN: usize = 6;

/// Base of RoPE in layers with a window.
const LOCAL_BASE: f64 = 10_000.0;

/// Layers of Gemma 3 27B, whose queries are scaled by the width per head.
const LAYERS_OF_27B: usize = 62;

pub(super) static ARCHITECTURE: ArchitectureSpec = ArchitectureSpec {
    name: "gemma3",
    model_types: &["gemma3_text"],
    models: &["Gemma 3"],
    head_dim: Some(256),
    rope_base: 1_000_000.0,
    ropes_by_kind: true,
    tied: true,
    norm_offset: 1.0,
    tensors: TensorNames {
        ends: &ENDS,
        layer: &[
            &ATTENTION,
            &GATED,
            &NORMS_BEFORE_OTHERS,
            &NORMS_AFTER,
            &QUERY_KEY_NORMS,
            &BIASES,
        ],
    },
    layer: |llama, _| LayerSpec {
        norms: NormPlaces::Sandwich,
        activation: Activation::Gelu,
        query_key_norms: Some(NormSpan::Head),
        ..llama
    },
    read_gguf,
    read_json,
    ..ArchitectureSpec::BASE
};

fn read_gguf(config: &mut LlamaConfig, keys: &GgufKeys<'_>) -> Result<(), ModelError> {
    keys.refuse_float("attn_logit_softcapping")?;
    keys.refuse_float("final_logit_softcapping")?;
    config.embedding_scale = (config.width as f32).sqrt();
    if config.layers == LAYERS_OF_27B {
        config.facts.scale = Some(attention_scale(config.width / config.query_heads));
    }
    config.facts.window = keys.size("attention.sliding_window")?;
    if config.facts.window.is_some() {
        let pattern = keys.layer_flags("attention.sliding_window_pattern", config.layers)?;
        config.facts.windowed = pattern.unwrap_or_else(|| windowed(PATTERN, config.layers));
    }
    let base = keys.float("rope.freq_base_swa")?;
    config.facts.local_rope = Some(local(config, base.map_or(LOCAL_BASE, f64::from)));
    Ok(())
}

fn read_json(config: &mut LlamaConfig, fields: &JsonFields<'_>) -> Result<(), ModelError> {
    fields.refuse_number("attn_logit_softcapping")?;
    fields.refuse_number("final_logit_softcapping")?;
    fields.refuse_flag("use_bidirectional_attention")?;
    config.embedding_scale = (config.width as f32).sqrt();
    let scalar = fields.positive("query_pre_attn_scalar")?.unwrap_or(256.0);
    config.facts.scale = Some(1.0 / (scalar as f32).sqrt());
    config.facts.window = fields.count("sliding_window")?;
    if config.facts.window.is_some() {
        let pattern = fields.at_least_one("sliding_window_pattern")?;
        let pattern = pattern.unwrap_or(PATTERN);
        config.facts.windowed = match fields.windowed_layers(config.layers)? {
            Some(windowed) => windowed,
            None => windowed(pattern, config.layers),
        };
    }
    if let Some(rope) = fields.rope_of("full_attention") {
        let read = rope.read(config, config.rope.layout, config.rope.base)?;
        (config.rope, config.facts.rope_factors) = read;
    }
    let base = fields.positive("rope_local_base_freq")?;
    let base = base.unwrap_or(LOCAL_BASE);
    config.facts.local_rope = Some(match fields.rope_of("sliding_attention") {
        Some(rope) => rope.read(config, config.rope.layout, base)?.0,
        None => local(config, base),
    });
    Ok(())
}

/// True for layers with a window, if of `pattern` in a row the last has none.
fn windowed(pattern: usize, layers: usize) -> Vec<bool> {
    let is_windowed = |layer: usize| !(layer + 1).is_multiple_of(pattern.max(1));
    (0..layers).map(is_windowed).collect()
}

/// RoPE of layers with a window: as the others', with another base and unstretched.
fn local(config: &LlamaConfig, base: f64) -> RopeConfig {
    RopeConfig {
        base,
        scaling: RopeScaling::None,
        attention_factor: 1.0,
        ..config.rope
    }
}
