//! Configuration in a GGUF file's metadata
//! (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, "Standardized key-value pairs").
//! Where a key is missing, llama.cpp's default holds.

use super::rope::NUMBERS;
use super::{LayerFacts, LlamaConfig};
use crate::formats::WeightsError;
use crate::formats::gguf::{GgufHeader, Metadata, MetadataArray};
use crate::model::architecture::{Architecture, Naming};
use crate::model::error::ModelError;
use crate::model::rope::{RopeConfig, RopeScaling, yarn_attention_factor};
use crate::model::spec::Biases;
use crate::model::weight::Weight;
use crate::quoted::quoted;

impl LlamaConfig {
    /// Reads the header of a model's first file.
    ///
    /// # Errors
    ///
    /// [`ModelError::Architecture`], [`ModelError::Unsupported`], [`ModelError::Config`], or a
    /// [`WeightsError`] for a key that is missing or of another type.
    pub fn from_gguf(header: &GgufHeader) -> Result<Self, ModelError> {
        let metadata = &header.metadata;
        let architecture = metadata.required("general.architecture", Metadata::text)?;
        let architecture = Architecture::from_gguf_name(architecture)?;
        let keys = GgufKeys {
            metadata,
            architecture,
        };
        keys.refuse_what_is_not_run()?;

        let width = keys.required("embedding_length")?;
        let query_heads = keys.required("attention.head_count")?;
        let kv_heads = keys.size("attention.head_count_kv")?;
        let head_dim = keys.size("attention.key_length")?;
        let head_dim = head_dim.unwrap_or_else(|| width.checked_div(query_heads).unwrap_or(0));
        let value_dim = keys.size("attention.value_length")?.unwrap_or(head_dim);
        if value_dim != head_dim {
            return Err(keys.unsupported(
                "attention.value_length",
                value_dim,
                format!("values as long as keys, {head_dim}"),
            ));
        }
        let context = keys.required("context_length")?;
        let window = keys.size("attention.sliding_window")?.unwrap_or(0);
        let rotated = keys.size("rope.dimension_count")?;
        let base = keys.float("rope.freq_base")?;
        let (scaling, attention_factor) = keys.scaling(context)?;
        let mut config = Self {
            architecture,
            layers: keys.required("block_count")?,
            width,
            feed_forward: keys.required("feed_forward_length")?,
            query_heads,
            kv_heads: kv_heads.unwrap_or(query_heads),
            head_dim,
            vocabulary: vocabulary(header, &keys)?,
            context,
            norm_epsilon: metadata.required(
                &keys.key("attention.layer_norm_rms_epsilon"),
                Metadata::float,
            )?,
            // The output may be in a later file of a set: the builder knows when all have been
            // read.
            tied: true,
            rope: RopeConfig {
                layout: architecture.spec().gguf_rope,
                base: base.map_or(10_000.0, f64::from),
                rotated: rotated.unwrap_or(head_dim),
                scaling,
                attention_factor,
            },
            embedding_scale: 1.0,
            logit_scale: 1.0,
            facts: LayerFacts {
                // Nothing but the tensors says which there are.
                biases: Biases::ALL,
                ..LayerFacts::default()
            },
        };
        let key = |field: &str| keys.key(key_of(field));
        config.validate_sizes(key)?;
        (architecture.spec().read_gguf)(&mut config, &keys)?;
        config.validate(key)?;
        if config.facts.window.is_none() && window > 0 {
            // As far as the model was trained with attention to everything; a window of 0 is none.
            config.context = config.context.min(window);
        }
        Ok(config)
    }
}

/// Key of a field of [`LlamaConfig`], after the architecture's name.
fn key_of(field: &str) -> &str {
    match field {
        "layers" => "block_count",
        "width" => "embedding_length",
        "feed_forward" => "feed_forward_length",
        "query_heads" => "attention.head_count",
        "kv_heads" => "attention.head_count_kv",
        "head_dim" => "attention.key_length",
        "vocabulary" => "vocab_size",
        "context" => "context_length",
        "norm_epsilon" => "attention.layer_norm_rms_epsilon",
        "rotated" => "rope.dimension_count",
        "rope_base" => "rope.freq_base",
        "rope_factor" => "rope.scaling.factor",
        "attention_factor" => "rope.scaling.attn_factor",
        "original_context" => "rope.scaling.original_context_length",
        "beta_fast" => "rope.scaling.yarn_beta_fast",
        "beta_slow" => "rope.scaling.yarn_beta_slow",
        "window" => "attention.sliding_window",
        other => other,
    }
}

/// Rows of the embedding or, where another file of the set has it, tokens of the tokenizer.
fn vocabulary(header: &GgufHeader, keys: &GgufKeys<'_>) -> Result<usize, ModelError> {
    let embedding = keys
        .architecture
        .tensor_name(Naming::Gguf, Weight::TokenEmbedding);
    let embedding = embedding.and_then(|name| header.tensors.find(&name));
    if let Some([_, rows]) = embedding.map(|tensor| &tensor.dimensions[..]) {
        return usize::try_from(*rows).map_err(|_| keys.unfit("vocab_size", *rows));
    }
    let tokens = keys
        .metadata
        .required("tokenizer.ggml.tokens", Metadata::array)?;
    Ok(tokens.len())
}

/// Metadata under an architecture's name.
pub(in crate::model) struct GgufKeys<'a> {
    metadata: &'a Metadata,
    architecture: Architecture,
}

impl GgufKeys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture.name())
    }

    /// A size; `None` if the key is missing. It may be a list that has the same for each layer.
    pub fn size(&self, name: &str) -> Result<Option<usize>, ModelError> {
        let key = self.key(name);
        if let Ok(Some(list)) = self.metadata.array(&key) {
            let sizes = list.integers().unwrap_or_default();
            let first = sizes
                .first()
                .filter(|first| sizes.iter().all(|it| it == *first));
            let size = first.and_then(|&first| usize::try_from(first).ok());
            return size.map(Some).ok_or_else(|| {
                let found = format!("a list of {}", list.len());
                self.unsupported(name, found, "one size for all layers".to_owned())
            });
        }
        let Some(number) = self.metadata.unsigned(&key)? else {
            return Ok(None);
        };
        match usize::try_from(number) {
            Ok(size) => Ok(Some(size)),
            Err(_) => Err(self.unfit(name, number)),
        }
    }

    /// A float; `None` if the key is missing.
    pub fn float(&self, name: &str) -> Result<Option<f32>, ModelError> {
        Ok(self.metadata.float(&self.key(name))?)
    }

    /// A flag; `None` if the key is missing.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, ModelError> {
        Ok(self.metadata.boolean(&self.key(name))?)
    }

    /// A factor above 0; `None` if the key is missing, or 0, as llama.cpp says that there is none.
    pub fn scale(&self, name: &str) -> Result<Option<f32>, ModelError> {
        let (least, most) = NUMBERS;
        match self.float(name)?.filter(|scale| *scale != 0.0) {
            Some(scale) if !(least..=most).contains(&scale.into()) => Err(ModelError::Config {
                field: self.key(name),
                found: scale.to_string(),
                allowed: format!("{least:e} to {most:e}"),
            }),
            scale => Ok(scale),
        }
    }

    /// A size of at least 1 that has to be there.
    pub fn at_least_one(&self, name: &str) -> Result<usize, ModelError> {
        match self.required(name)? {
            0 => Err(ModelError::Config {
                field: self.key(name),
                found: "0".to_owned(),
                allowed: "1 or more".to_owned(),
            }),
            size => Ok(size),
        }
    }

    /// A flag per layer: a list of them, or a number n for all but each nth layer.
    pub fn layer_flags(&self, name: &str, layers: usize) -> Result<Option<Vec<bool>>, ModelError> {
        let key = self.key(name);
        let wrong = |found: String, allowed: String| ModelError::Config {
            field: key.clone(),
            found,
            allowed,
        };
        let Ok(Some(list)) = self.metadata.array(&key) else {
            return match self.size(name)? {
                None => Ok(None),
                Some(0) => Err(wrong("0".to_owned(), "1 or more".to_owned())),
                Some(pattern) => {
                    let flag = |layer: usize| !(layer + 1).is_multiple_of(pattern);
                    Ok(Some((0..layers).map(flag).collect()))
                }
            };
        };
        match list {
            MetadataArray::Bool(flags) if flags.len() >= layers => {
                Ok(Some(flags[..layers].to_vec()))
            }
            list => Err(wrong(
                format!("{} entries", list.len()),
                format!("a bool for each of {layers} layers"),
            )),
        }
    }

    /// Refuses a model that has a size above 0 here.
    pub fn refuse_size(&self, name: &str) -> Result<(), ModelError> {
        match self.size(name)? {
            Some(size @ 1..) => Err(self.unsupported(name, size, "none".to_owned())),
            _ => Ok(()),
        }
    }

    /// Refuses a model that has a float other than 0 here.
    pub fn refuse_float(&self, name: &str) -> Result<(), ModelError> {
        match self.float(name)?.filter(|number| *number != 0.0) {
            Some(number) => Err(self.unsupported(name, number, "none".to_owned())),
            None => Ok(()),
        }
    }

    fn required(&self, name: &str) -> Result<usize, ModelError> {
        match self.size(name)? {
            Some(size) => Ok(size),
            None => {
                let error: WeightsError = self.metadata.unfit(&self.key(name), "missing", "a size");
                Err(error.into())
            }
        }
    }

    fn unfit(&self, name: &str, found: u64) -> ModelError {
        self.metadata
            .unfit(&self.key(name), found, "fewer than 2^32")
            .into()
    }

    fn unsupported(&self, name: &str, found: impl ToString, supported: String) -> ModelError {
        ModelError::Unsupported {
            field: self.key(name),
            found: found.to_string(),
            supported,
        }
    }

    /// Refuses what would change the result. Mixtral and its like call themselves `llama`, too.
    fn refuse_what_is_not_run(&self) -> Result<(), ModelError> {
        if let Some(count @ 1..) = self.size("expert_count")? {
            return Err(self.unsupported("expert_count", count, "no experts".to_owned()));
        }
        let causal = "attention.causal";
        if self.metadata.boolean(&self.key(causal))? == Some(false) {
            return Err(self.unsupported(causal, false, "causal attention".to_owned()));
        }
        Ok(())
    }

    /// Stretching of the frequencies, and the factor of cosines and sines.
    fn scaling(&self, context: usize) -> Result<(RopeScaling, f64), ModelError> {
        let named = self.metadata.text(&self.key("rope.scaling.type"))?;
        let attention_factor = match self.float("rope.scaling.attn_factor")? {
            Some(factor) => Some(factor),
            None => self.float("rope.scaling.yarn_attn_factor")?,
        };
        // 0 is how llama.cpp says that there is none.
        let given = attention_factor.filter(|factor| *factor != 0.0);
        let attention_factor = given.map_or(1.0, f64::from);
        let original_context = self.size("rope.scaling.original_context_length")?;
        let original_context = original_context.unwrap_or(context);
        let factor = match self.float("rope.scaling.factor")? {
            Some(factor) => Some(factor),
            // The name in older files.
            None => self.float("rope.scale_linear")?,
        };
        let factor = factor.filter(|factor| *factor != 0.0).map(f64::from);
        let scaling = match named {
            Some("none") => RopeScaling::None,
            // Without a type it is linear.
            None | Some("linear") => match factor {
                None => RopeScaling::None,
                Some(factor) => RopeScaling::Linear { factor },
            },
            Some("yarn") => {
                let factor = factor.unwrap_or(1.0);
                let number = |name, default: f64| {
                    Ok::<f64, ModelError>(self.float(name)?.map_or(default, f64::from))
                };
                // The weight of a second logarithm, by which the first is divided.
                let weight = number("rope.scaling.yarn_log_multiplier", 0.0)?;
                let mut own = yarn_attention_factor(factor, 1.0);
                if weight != 0.0 {
                    own /= yarn_attention_factor(factor, weight);
                }
                let scaling = RopeScaling::Yarn {
                    factor,
                    original_context,
                    beta_fast: number("rope.scaling.yarn_beta_fast", 32.0)?,
                    beta_slow: number("rope.scaling.yarn_beta_slow", 1.0)?,
                    whole_pairs: true,
                };
                return Ok((scaling, attention_factor * own));
            }
            Some("longrope") => RopeScaling::LongRope { original_context },
            Some(other) => {
                return Err(self.unsupported(
                    "rope.scaling.type",
                    quoted(other),
                    "none, linear, yarn, longrope, or factors in rope_freqs.weight".to_owned(),
                ));
            }
        };
        Ok((scaling, attention_factor))
    }
}
