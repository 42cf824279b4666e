//! Configuration in a Hugging Face model's `config.json`
//! (<https://huggingface.co/docs/transformers/model_doc/llama>, and its siblings).

use serde::Deserialize;
use serde_json::{Map, Value};

use super::rope::{NUMBERS, RopeFields};
use super::{LayerFacts, LlamaConfig};
use crate::model::architecture::Architecture;
use crate::model::error::ModelError;
use crate::model::rope::{RopeConfig, RopeFactors, RopeScaling};
use crate::model::spec::{Biases, LayerSpec};
use crate::quoted::{quoted, shortened};

/// Fields that are read. One that is null is as good as missing.
#[derive(Debug)]
struct Fields<'a> {
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
    original_max_position_embeddings: Option<usize>,
    /// The name until 2025.
    rope_scaling: Option<&'a Map<String, Value>>,
    /// The name since; holds the base, too.
    rope_parameters: Option<&'a Map<String, Value>>,
    tie_word_embeddings: Option<bool>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    hidden_act: Option<&'a str>,
    /// Gemma's name for it.
    hidden_activation: Option<&'a str>,
    sliding_window: Option<usize>,
    use_sliding_window: Option<bool>,
    num_local_experts: Option<usize>,
    num_experts: Option<usize>,
    is_quantised: bool,
}

impl<'a> Fields<'a> {
    fn read(json: Json<'a>) -> Result<Self, ModelError> {
        Ok(Self {
            num_hidden_layers: json.required("num_hidden_layers", COUNT, count)?,
            hidden_size: json.required("hidden_size", COUNT, count)?,
            intermediate_size: json.required("intermediate_size", COUNT, count)?,
            num_attention_heads: json.required("num_attention_heads", COUNT, count)?,
            num_key_value_heads: json.count("num_key_value_heads")?,
            head_dim: json.count("head_dim")?,
            vocab_size: json.required("vocab_size", COUNT, count)?,
            max_position_embeddings: json.required("max_position_embeddings", COUNT, count)?,
            rms_norm_eps: json.required("rms_norm_eps", NUMBER, Value::as_f64)?,
            rope_theta: json.number("rope_theta")?,
            partial_rotary_factor: json.number("partial_rotary_factor")?,
            original_max_position_embeddings: json.count("original_max_position_embeddings")?,
            rope_scaling: json.typed("rope_scaling", "an object", Value::as_object)?,
            rope_parameters: json.typed("rope_parameters", "an object", Value::as_object)?,
            tie_word_embeddings: json.flag("tie_word_embeddings")?,
            attention_bias: json.flag("attention_bias")?,
            mlp_bias: json.flag("mlp_bias")?,
            hidden_act: json.text("hidden_act")?,
            hidden_activation: json.text("hidden_activation")?,
            sliding_window: json.count("sliding_window")?,
            use_sliding_window: json.flag("use_sliding_window")?,
            num_local_experts: json.count("num_local_experts")?,
            num_experts: json.count("num_experts")?,
            is_quantised: json.get("quantization_config").is_some(),
        })
    }
}

/// An object's fields by their types. One that is null is as good as missing.
#[derive(Clone, Copy)]
struct Json<'a>(&'a Map<String, Value>);

const COUNT: &str = "a number of 0 or more";
const NUMBER: &str = "a number";

fn count(value: &Value) -> Option<usize> {
    usize::try_from(value.as_u64()?).ok()
}

impl<'a> Json<'a> {
    fn get(self, field: &str) -> Option<&'a Value> {
        let value = self.0.get(field);
        value.filter(|value| !value.is_null())
    }

    /// A value that `of` knows; `None` if it is missing.
    fn typed<T>(
        self,
        field: &str,
        allowed: &str,
        of: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ModelError> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        match of(value) {
            Some(found) => Ok(Some(found)),
            None => {
                let found = shortened(&value.to_string());
                Err(wrong(field, found, allowed.to_owned()))
            }
        }
    }

    fn required<T>(
        self,
        field: &str,
        allowed: &str,
        of: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<T, ModelError> {
        let value = self.typed(field, allowed, of)?;
        value.ok_or_else(|| wrong(field, "missing".to_owned(), allowed.to_owned()))
    }

    fn count(self, field: &str) -> Result<Option<usize>, ModelError> {
        self.typed(field, COUNT, count)
    }

    fn number(self, field: &str) -> Result<Option<f64>, ModelError> {
        self.typed(field, NUMBER, Value::as_f64)
    }

    fn flag(self, field: &str) -> Result<Option<bool>, ModelError> {
        self.typed(field, "true or false", Value::as_bool)
    }

    fn text(self, field: &str) -> Result<Option<&'a str>, ModelError> {
        self.typed(field, "a string", Value::as_str)
    }
}

impl LlamaConfig {
    /// Reads a `config.json`.
    ///
    /// # Errors
    ///
    /// [`ModelError::Architecture`], [`ModelError::Unsupported`] or [`ModelError::Config`].
    pub fn from_config_json(json: &[u8]) -> Result<Self, ModelError> {
        let object: Map<String, Value> = parse(json)?;
        // First: other models have other fields.
        let architecture = architecture(Json(&object))?;
        let fields = Fields::read(Json(&object))?;
        fields.refuse_what_is_not_run()?;

        let spec = architecture.spec();
        let head_dim = fields.head_dim.or(spec.head_dim);
        let head_dim = head_dim.unwrap_or_else(|| {
            let heads = fields.num_attention_heads;
            fields.hidden_size.checked_div(heads).unwrap_or(0)
        });
        let mut config = Self {
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
            context: fields.max_position_embeddings,
            norm_epsilon: fields.rms_norm_eps as f32,
            tied: fields.tie_word_embeddings.unwrap_or(spec.tied),
            rope: RopeConfig {
                layout: spec.hugging_face_rope,
                base: spec.rope_base,
                rotated: head_dim,
                scaling: RopeScaling::None,
                attention_factor: 1.0,
            },
            embedding_scale: 1.0,
            logit_scale: 1.0,
            facts: LayerFacts {
                biases: fields.biases(),
                ..LayerFacts::default()
            },
        };
        let key = |field: &str| key_of(field).to_owned();
        config.validate_sizes(key)?;
        let all = JsonFields {
            fields: &fields,
            object: Json(&object),
        };
        (config.rope, config.facts.rope_factors) = all.read_rope(&config)?;
        if let Some(windowed) = all.windowed_layers(config.layers)?
            && fields.asks_for_window(architecture)
        {
            config.facts.window = fields.sliding_window;
            config.facts.windowed = windowed;
        }
        (spec.read_json)(&mut config, &all)?;
        fields.refuse_what_no_layer_has(&config.layer(0))?;
        config.validate(key)?;
        if config.facts.windowed.is_empty() {
            config.context = fields.context(architecture);
        }
        Ok(config)
    }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, ModelError> {
    serde_json::from_slice(json).map_err(|error| ModelError::Config {
        field: field_before(json, &error)
            .unwrap_or("config.json")
            .to_owned(),
        // It may quote the file at any length.
        found: shortened(&error.to_string()),
        allowed: format!("a {} configuration", Architecture::models()),
    })
}

/// Field whose value is none, such as `NaN`, which Python writes.
fn field_before<'a>(json: &'a [u8], error: &serde_json::Error) -> Option<&'a str> {
    let mut lines = json.split(|&byte| byte == b'\n');
    let line = lines.nth(error.line().checked_sub(1)?)?;
    let before = str::from_utf8(line.get(..error.column().checked_sub(1)?)?).ok()?;
    let before = before.trim_end_matches(['-', ' ']).strip_suffix(':')?;
    let (_, field) = before.trim_end().strip_suffix('"')?.rsplit_once('"')?;
    (field.len() <= LONGEST_FIELD).then_some(field)
}

/// Most bytes of a field's name; known ones have about 30.
const LONGEST_FIELD: usize = 64;

/// The architecture by `model_type` or, in files without it, by the name of the class, such as
/// `LlamaForCausalLM`.
fn architecture(json: Json<'_>) -> Result<Architecture, ModelError> {
    if let Some(model_type) = json.text("model_type")? {
        return Architecture::from_model_type(model_type);
    }
    let classes = json.typed("architectures", "a list of strings", Value::as_array)?;
    let class = classes.and_then(|names| names.first()?.as_str());
    let class = class.unwrap_or_default().trim_end_matches("ForCausalLM");
    Architecture::from_model_type(&class.to_lowercase())
}

impl Fields<'_> {
    fn refuse_what_is_not_run(&self) -> Result<(), ModelError> {
        for (field, experts) in [
            ("num_local_experts", self.num_local_experts),
            ("num_experts", self.num_experts),
        ] {
            if let Some(experts @ 1..) = experts {
                return unsupported(field, experts.to_string(), "no experts");
            }
        }
        if self.is_quantised {
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
        let (field, found) = match self.hidden_activation {
            Some(found) => ("hidden_activation", Some(found)),
            None => ("hidden_act", self.hidden_act),
        };
        match found.filter(|it| *it != activation) {
            Some(other) => unsupported(field, quoted(other), activation),
            None => Ok(()),
        }
    }

    /// Biases that there may be.
    fn biases(&self) -> Biases {
        let attention = self.attention_bias == Some(true);
        Biases {
            query_key_value: attention,
            output: attention,
            feed_forward: self.mlp_bias == Some(true),
        }
    }

    /// True if `sliding_window` counts.
    fn asks_for_window(&self, architecture: Architecture) -> bool {
        self.use_sliding_window == Some(true) || !architecture.spec().asks_for_window
    }

    /// Positions as far as the model was trained with attention to everything.
    fn context(&self, architecture: Architecture) -> usize {
        match self.sliding_window {
            Some(window @ 1..) if self.asks_for_window(architecture) => {
                window.min(self.max_position_embeddings)
            }
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

/// All fields of a `config.json`, for what architectures read of their own.
pub(in crate::model) struct JsonFields<'a> {
    fields: &'a Fields<'a>,
    object: Json<'a>,
}

impl<'a> JsonFields<'a> {
    /// A number of things.
    pub fn count(&self, field: &str) -> Result<Option<usize>, ModelError> {
        self.object.count(field)
    }

    /// A number of 1 or more.
    pub fn at_least_one(&self, field: &str) -> Result<Option<usize>, ModelError> {
        match self.count(field)? {
            Some(0) => Err(wrong(field, "0".to_owned(), "1 or more".to_owned())),
            count => Ok(count),
        }
    }

    /// A number within the bounds of RoPE's and of factors.
    pub fn positive(&self, field: &str) -> Result<Option<f64>, ModelError> {
        let number = self.object.number(field)?;
        let (least, most) = NUMBERS;
        match number {
            Some(number) if !(least..=most).contains(&number) => Err(wrong(
                field,
                number.to_string(),
                format!("{least:e} to {most:e}"),
            )),
            number => Ok(number),
        }
    }

    /// A text.
    pub fn text(&self, field: &str) -> Result<Option<&'a str>, ModelError> {
        self.object.text(field)
    }

    fn list(&self, field: &str, layers: usize) -> Result<Option<&'a [Value]>, ModelError> {
        let list = self.object.typed(field, "a list", Value::as_array)?;
        match list {
            Some(list) => match list.get(..layers) {
                Some(each) => Ok(Some(each)),
                None => Err(wrong(
                    field,
                    format!("{} entries", list.len()),
                    format!("one for each of {layers} layers"),
                )),
            },
            None => Ok(None),
        }
    }

    /// A number of 0 or more per layer.
    pub fn counts(&self, field: &str, layers: usize) -> Result<Option<Vec<usize>>, ModelError> {
        let Some(list) = self.list(field, layers)? else {
            return Ok(None);
        };
        let counts = list.iter().map(|value| {
            let count = value.as_u64().and_then(|it| usize::try_from(it).ok());
            let found = || quoted(&value.to_string());
            count.ok_or_else(|| wrong(field, found(), "numbers of 0 or more".to_owned()))
        });
        counts.collect::<Result<_, _>>().map(Some)
    }

    /// True per layer that `layer_types` says to have a window; `None` where it is missing.
    pub fn windowed_layers(&self, layers: usize) -> Result<Option<Vec<bool>>, ModelError> {
        let field = "layer_types";
        let Some(list) = self.list(field, layers)? else {
            return Ok(None);
        };
        let windowed = list.iter().map(|value| match value.as_str() {
            Some("sliding_attention") => Ok(true),
            Some("full_attention" | "attention") => Ok(false),
            _ => Err(ModelError::Unsupported {
                field: field.to_owned(),
                found: quoted(&value.to_string()),
                supported: "full_attention or sliding_attention".to_owned(),
            }),
        });
        windowed.collect::<Result<_, _>>().map(Some)
    }

    /// Refuses another text.
    pub fn expect_text(&self, field: &str, expected: &str) -> Result<(), ModelError> {
        match self.text(field)?.filter(|found| *found != expected) {
            Some(found) => unsupported(field, quoted(found), expected),
            None => Ok(()),
        }
    }

    /// Refuses a model in which `field` has layers without attention, or says nothing of them.
    pub fn expect_attention(&self, field: &str, layers: usize) -> Result<(), ModelError> {
        match self.windowed_layers(layers)? {
            Some(_) => Ok(()),
            None => unsupported(field, "missing".to_owned(), "attention in all layers"),
        }
    }

    /// Refuses a flag that is set.
    pub fn refuse_flag(&self, field: &str) -> Result<(), ModelError> {
        match self.object.flag(field)? {
            Some(true) => unsupported(field, "true".to_owned(), "false"),
            _ => Ok(()),
        }
    }

    /// Refuses a number.
    pub fn refuse_number(&self, field: &str) -> Result<(), ModelError> {
        match self.object.get(field) {
            Some(value) => unsupported(field, quoted(&value.to_string()), "none"),
            None => Ok(()),
        }
    }

    /// RoPE's fields.
    pub fn rope(&self) -> RopeFields<'a> {
        let fields = self.fields;
        let (named, object) = match fields.rope_parameters {
            Some(object) => ("rope_parameters", Some(object)),
            None => ("rope_scaling", fields.rope_scaling),
        };
        self.rope_in(named.to_owned(), object)
    }

    /// RoPE's fields of one kind of layers; `None` where kinds have none of their own.
    pub fn rope_of(&self, kind: &str) -> Option<RopeFields<'a>> {
        let objects = self.fields.rope_parameters?;
        let object = objects.get(kind)?.as_object();
        Some(self.rope_in(format!("rope_parameters.{kind}"), object))
    }

    fn rope_in(&self, named: String, object: Option<&'a Map<String, Value>>) -> RopeFields<'a> {
        RopeFields {
            named,
            object,
            original_context: self.fields.original_max_position_embeddings,
            part: self.fields.partial_rotary_factor,
        }
    }

    /// RoPE of all layers. Where kinds of layers have their own, the architecture reads it.
    fn read_rope(&self, config: &LlamaConfig) -> Result<(RopeConfig, RopeFactors), ModelError> {
        let rope = self.rope();
        let by_kind = config.architecture.spec().ropes_by_kind;
        if by_kind && self.rope_of("full_attention").is_some() {
            return Ok((config.rope, RopeFactors::None));
        }
        let base = match self.fields.rope_theta {
            Some(base) => base,
            // The default of older files; the newer object always has it.
            None if self.fields.rope_parameters.is_none() => config.rope.base,
            None => rope.required("rope_theta")?,
        };
        rope.read(config, config.rope.layout, base)
    }
}

fn wrong(field: &str, found: String, allowed: String) -> ModelError {
    ModelError::Config {
        field: field.to_owned(),
        found,
        allowed,
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
        "original_context" => "original_max_position_embeddings",
        "window" => "sliding_window",
        other => other,
    }
}
