//! The configuration in a Hugging Face model's `config.json`
//! (<https://huggingface.co/docs/transformers/model_doc/llama>, and its siblings for Mistral, Qwen2 and Qwen3).

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{LlamaConfig, RopeConfig, RopeLayout, RopeScaling};
use crate::model::architecture::Architecture;
use crate::model::error::ModelError;
use crate::weights::shown;

/// What is read of it. A field that is there and null is as good as missing.
#[derive(Debug, Deserialize)]
struct Fields {
    model_type: String,
    num_hidden_layers: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    vocab_size: usize,
    max_position_embeddings: usize,
    rms_norm_eps: f64,
    rope_theta: Option<f64>,
    partial_rotary_factor: Option<f64>,
    /// Named so until 2025.
    rope_scaling: Option<Map<String, Value>>,
    /// Named so since; holds the base, too.
    rope_parameters: Option<Map<String, Value>>,
    tie_word_embeddings: Option<bool>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    hidden_act: Option<String>,
    sliding_window: Option<usize>,
    use_sliding_window: Option<bool>,
    num_local_experts: Option<usize>,
}

impl LlamaConfig {
    /// What a `config.json` says.
    ///
    /// # Errors
    ///
    /// [`ModelError::Architecture`], [`ModelError::Unsupported`] or [`ModelError::Config`].
    pub fn from_config_json(json: &[u8]) -> Result<Self, ModelError> {
        let fields: Fields = serde_json::from_slice(json).map_err(|error| ModelError::Config {
            field: "config.json".to_owned(),
            found: error.to_string(),
            allowed: "a Llama's, Mistral's, Qwen2's or Qwen3's configuration".to_owned(),
        })?;
        let architecture = Architecture::from_model_type(&fields.model_type)?;
        fields.refuse_what_is_not_run(architecture)?;

        let head_dim = fields.head_dim.unwrap_or_else(|| {
            let heads = fields.num_attention_heads;
            fields.hidden_size.checked_div(heads).unwrap_or(0)
        });
        let rope = fields.rope_parameters.as_ref();
        let rope = rope.or(fields.rope_scaling.as_ref());
        let named = |name| rope.and_then(|rope| rope.get(name)).and_then(Value::as_f64);
        let part = fields
            .partial_rotary_factor
            .or(named("partial_rotary_factor"));
        let config = Self {
            architecture,
            layers: fields.num_hidden_layers,
            width: fields.hidden_size,
            feed_forward: fields.intermediate_size,
            query_heads: fields.num_attention_heads,
            kv_heads: fields
                .num_key_value_heads
                .unwrap_or(fields.num_attention_heads),
            head_dim,
            vocabulary: fields.vocab_size,
            context: fields.context(architecture),
            norm_epsilon: fields.rms_norm_eps as f32,
            tied: fields.tie_word_embeddings.unwrap_or(false),
            biases: architecture.has_biases(),
            rope: RopeConfig {
                layout: RopeLayout::Halves,
                base: fields
                    .rope_theta
                    .or(named("rope_theta"))
                    .unwrap_or(10_000.0),
                rotated: (head_dim as f64 * part.unwrap_or(1.0)) as usize,
                scaling: scaling(rope)?,
            },
        };
        config.validate(|field| key_of(field).to_owned())?;
        Ok(config)
    }
}

impl Fields {
    fn refuse_what_is_not_run(&self, architecture: Architecture) -> Result<(), ModelError> {
        let unsupported = |field: &str, found: String, supported: &str| {
            Err(ModelError::Unsupported {
                field: field.to_owned(),
                found,
                supported: supported.to_owned(),
            })
        };
        if let Some(experts @ 1..) = self.num_local_experts {
            return unsupported("num_local_experts", experts.to_string(), "no experts");
        }
        if let Some(other) = self.hidden_act.as_deref().filter(|it| *it != "silu") {
            return unsupported("hidden_act", shown(other), "silu");
        }
        if self.mlp_bias == Some(true) {
            return unsupported("mlp_bias", "true".to_owned(), "no biases there");
        }
        // Qwen2 has biases of queries, keys and values whatever this says; others would have one of the output as well.
        if self.attention_bias == Some(true) && !architecture.has_biases() {
            return unsupported("attention_bias", "true".to_owned(), "no biases there");
        }
        Ok(())
    }

    /// As far as attention to everything is what the model was trained for.
    fn context(&self, architecture: Architecture) -> usize {
        let windowed = match architecture {
            Architecture::Llama => true,
            Architecture::Qwen2 | Architecture::Qwen3 => self.use_sliding_window == Some(true),
        };
        match self.sliding_window {
            Some(window) if windowed => window.min(self.max_position_embeddings),
            _ => self.max_position_embeddings,
        }
    }
}

fn scaling(rope: Option<&Map<String, Value>>) -> Result<RopeScaling, ModelError> {
    let Some(rope) = rope else {
        return Ok(RopeScaling::None);
    };
    let kind = rope.get("rope_type").or_else(|| rope.get("type"));
    let kind = kind.and_then(Value::as_str).unwrap_or("default");
    let number = |field: &str| {
        let number = rope.get(field).and_then(Value::as_f64);
        number.ok_or_else(|| ModelError::Config {
            field: format!("rope_scaling.{field}"),
            found: rope
                .get(field)
                .map_or("missing".to_owned(), |it| shown(&it.to_string())),
            allowed: "a number".to_owned(),
        })
    };
    match kind {
        "default" => Ok(RopeScaling::None),
        "linear" => Ok(RopeScaling::Linear {
            factor: number("factor")?,
        }),
        "llama3" => Ok(RopeScaling::Llama3 {
            factor: number("factor")?,
            low_frequency_factor: number("low_freq_factor")?,
            high_frequency_factor: number("high_freq_factor")?,
            original_context: number("original_max_position_embeddings")? as usize,
        }),
        other => Err(ModelError::Unsupported {
            field: "rope_scaling.rope_type".to_owned(),
            found: shown(other),
            supported: "default, linear or llama3".to_owned(),
        }),
    }
}

/// The key of a field of [`LlamaConfig`].
fn key_of(field: &str) -> &str {
    match field {
        "layers" => "num_hidden_layers",
        "width" => "hidden_size",
        "feed_forward" => "intermediate_size",
        "query_heads" => "num_attention_heads",
        "kv_heads" => "num_key_value_heads",
        "vocabulary" => "vocab_size",
        "context" => "max_position_embeddings",
        "norm_epsilon" => "rms_norm_eps",
        "rotated" => "partial_rotary_factor",
        "rope_base" => "rope_theta",
        "rope_factor" => "rope_scaling.factor",
        other => other,
    }
}
