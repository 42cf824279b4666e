//! Configuration in a Hugging Face model's `config.json`
//! (<https://huggingface.co/docs/transformers/model_doc/llama>, and its siblings).

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::LlamaConfig;
use crate::model::architecture::Architecture;
use crate::model::error::ModelError;
use crate::model::rope::{RopeConfig, RopeScaling};
use crate::model::spec::LayerSpec;
use crate::quoted::{quoted, shortened};

/// Fields that name the model. They are read first: other models have other fields.
#[derive(Debug, Deserialize)]
struct Identity {
    model_type: Option<String>,
    architectures: Option<Vec<String>>,
}

/// Fields that are read. One that is null is as good as missing.
#[derive(Debug, Deserialize)]
struct Fields {
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
    /// The name until 2025.
    rope_scaling: Option<Map<String, Value>>,
    /// The name since; holds the base, too.
    rope_parameters: Option<Map<String, Value>>,
    tie_word_embeddings: Option<bool>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    hidden_act: Option<String>,
    sliding_window: Option<usize>,
    use_sliding_window: Option<bool>,
    num_local_experts: Option<usize>,
    num_experts: Option<usize>,
    quantization_config: Option<IgnoredAny>,
}

impl LlamaConfig {
    /// Reads a `config.json`.
    ///
    /// # Errors
    ///
    /// [`ModelError::Architecture`], [`ModelError::Unsupported`] or [`ModelError::Config`].
    pub fn from_config_json(json: &[u8]) -> Result<Self, ModelError> {
        let architecture = parse::<Identity>(json)?.architecture()?;
        let fields: Fields = parse(json)?;
        fields.refuse_what_is_not_run()?;

        let head_dim = fields.head_dim.or(architecture.spec().head_dim);
        let head_dim = head_dim.unwrap_or_else(|| {
            let heads = fields.num_attention_heads;
            fields.hidden_size.checked_div(heads).unwrap_or(0)
        });
        let rope = Rope::of(&fields);
        let part = fields
            .partial_rotary_factor
            .or(rope.number("partial_rotary_factor"));
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
            rope: RopeConfig {
                layout: architecture.spec().hugging_face_rope,
                base: match rope.number("rope_theta").or(fields.rope_theta) {
                    Some(base) => base,
                    // The default of older files; the newer object always has it.
                    None if fields.rope_parameters.is_none() => 10_000.0,
                    None => rope.required("rope_theta")?,
                },
                rotated: (head_dim as f64 * part.unwrap_or(1.0)) as usize,
                scaling: rope.scaling()?,
            },
        };
        fields.refuse_what_no_layer_has(&config.layer(0))?;
        config.validate(|field| key_of(field).to_owned())?;
        Ok(config)
    }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, ModelError> {
    serde_json::from_slice(json).map_err(|error| ModelError::Config {
        field: "config.json".to_owned(),
        // It may quote the file at any length.
        found: shortened(&error.to_string()),
        allowed: format!("a {} configuration", Architecture::models()),
    })
}

impl Identity {
    /// The architecture by `model_type` or, in files without it, by the name of the class, such as
    /// `LlamaForCausalLM`.
    fn architecture(&self) -> Result<Architecture, ModelError> {
        let class = self.architectures.iter().flatten().next();
        let class = class.map_or("", |name| name.as_str());
        let name = match &self.model_type {
            Some(model_type) => model_type.to_owned(),
            None => class.trim_end_matches("ForCausalLM").to_lowercase(),
        };
        Architecture::from_model_type(&name)
    }
}

impl Fields {
    fn refuse_what_is_not_run(&self) -> Result<(), ModelError> {
        for (field, experts) in [
            ("num_local_experts", self.num_local_experts),
            ("num_experts", self.num_experts),
        ] {
            if let Some(experts @ 1..) = experts {
                return unsupported(field, experts.to_string(), "no experts");
            }
        }
        if self.quantization_config.is_some() {
            let supported = "weights of F32, F16 or BF16, or a GGUF file's";
            return unsupported(
                "quantization_config",
                "a quantisation".to_owned(),
                supported,
            );
        }
        Ok(())
    }

    /// Refuses what the architecture's layers would leave out.
    fn refuse_what_no_layer_has(&self, layer: &LayerSpec) -> Result<(), ModelError> {
        let activation = layer.activation.hugging_face_name();
        if let Some(other) = self.hidden_act.as_deref().filter(|it| *it != activation) {
            return unsupported("hidden_act", quoted(other), activation);
        }
        if self.mlp_bias == Some(true) && !layer.biases.feed_forward {
            return unsupported("mlp_bias", "true".to_owned(), "no biases there");
        }
        // Qwen2 has biases of queries, keys and values whatever this says; others would have one of
        // the output as well.
        if self.attention_bias == Some(true) && !layer.biases.query_key_value {
            return unsupported("attention_bias", "true".to_owned(), "no biases there");
        }
        Ok(())
    }

    /// Positions as far as the model was trained with attention to everything.
    fn context(&self, architecture: Architecture) -> usize {
        let asked = self.use_sliding_window == Some(true);
        let windowed = asked || !architecture.spec().asks_for_window;
        match self.sliding_window {
            Some(window @ 1..) if windowed => window.min(self.max_position_embeddings),
            _ => self.max_position_embeddings,
        }
    }
}

fn unsupported(field: &str, found: String, supported: &str) -> Result<(), ModelError> {
    Err(ModelError::Unsupported {
        field: field.to_owned(),
        found,
        supported: supported.to_owned(),
    })
}

/// RoPE's fields, and the name of the object that they are in.
struct Rope<'a> {
    named: &'static str,
    object: Option<&'a Map<String, Value>>,
}

impl<'a> Rope<'a> {
    fn of(fields: &'a Fields) -> Self {
        let (named, object) = match &fields.rope_parameters {
            Some(object) => ("rope_parameters", Some(object)),
            None => ("rope_scaling", fields.rope_scaling.as_ref()),
        };
        Self { named, object }
    }

    fn get(&self, field: &str) -> Option<&'a Value> {
        self.object.and_then(|object| object.get(field))
    }

    fn number(&self, field: &str) -> Option<f64> {
        self.get(field).and_then(Value::as_f64)
    }

    fn required(&self, field: &str) -> Result<f64, ModelError> {
        self.number(field).ok_or_else(|| ModelError::Config {
            field: format!("{}.{field}", self.named),
            found: self
                .get(field)
                .map_or("missing".to_owned(), |it| quoted(&it.to_string())),
            allowed: "a number".to_owned(),
        })
    }

    fn scaling(&self) -> Result<RopeScaling, ModelError> {
        // Older files say `type`.
        let kind = self.get("rope_type").or_else(|| self.get("type"));
        let kind = match kind {
            Some(kind) => kind.as_str().unwrap_or_default(),
            None if self.named == "rope_scaling" && self.object.is_some() => "",
            None => "default",
        };
        match kind {
            "default" => Ok(RopeScaling::None),
            "linear" => Ok(RopeScaling::Linear {
                factor: self.required("factor")?,
            }),
            "llama3" => Ok(RopeScaling::Llama3 {
                factor: self.required("factor")?,
                low_frequency_factor: self.required("low_freq_factor")?,
                high_frequency_factor: self.required("high_freq_factor")?,
                original_context: self.required("original_max_position_embeddings")? as usize,
            }),
            other => Err(ModelError::Unsupported {
                field: format!("{}.rope_type", self.named),
                found: quoted(other),
                supported: "default, linear or llama3".to_owned(),
            }),
        }
    }
}

/// Key of a field of [`LlamaConfig`].
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
