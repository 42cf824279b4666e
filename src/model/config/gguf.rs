//! Configuration in a GGUF file's metadata
//! (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, "Standardized key-value pairs").
//! Where a key is missing, llama.cpp's default holds.

use super::LlamaConfig;
use crate::formats::WeightsError;
use crate::formats::gguf::{GgufHeader, Metadata};
use crate::model::architecture::{Architecture, Naming};
use crate::model::error::ModelError;
use crate::model::rope::{RopeConfig, RopeScaling};
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
        let keys = Keys {
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
        let base = keys.metadata.float(&keys.key("rope.freq_base"))?;
        let config = Self {
            architecture,
            layers: keys.required("block_count")?,
            width,
            feed_forward: keys.required("feed_forward_length")?,
            query_heads,
            kv_heads: kv_heads.unwrap_or(query_heads),
            head_dim,
            vocabulary: vocabulary(header, &keys)?,
            // As far as the model was trained with attention to everything; a window of 0 is none.
            context: if window > 0 {
                context.min(window)
            } else {
                context
            },
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
                scaling: keys.scaling()?,
            },
        };
        config.validate(|field| keys.key(key_of(field)))?;
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
        other => other,
    }
}

/// Rows of the embedding or, where another file of the set has it, tokens of the tokenizer.
fn vocabulary(header: &GgufHeader, keys: &Keys<'_>) -> Result<usize, ModelError> {
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
struct Keys<'a> {
    metadata: &'a Metadata,
    architecture: Architecture,
}

impl Keys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture.name())
    }

    fn size(&self, name: &str) -> Result<Option<usize>, ModelError> {
        let Some(number) = self.metadata.unsigned(&self.key(name))? else {
            return Ok(None);
        };
        match usize::try_from(number) {
            Ok(size) => Ok(Some(size)),
            Err(_) => Err(self.unfit(name, number)),
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
        // YaRN and its like multiply cosines and sines by it.
        let factor = "rope.scaling.attn_factor";
        let found = self.metadata.float(&self.key(factor))?;
        match found.filter(|&found| found != 1.0) {
            Some(found) => Err(self.unsupported(factor, found, "a factor of 1".to_owned())),
            None => Ok(()),
        }
    }

    fn scaling(&self) -> Result<RopeScaling, ModelError> {
        let named = self.metadata.text(&self.key("rope.scaling.type"))?;
        match named {
            Some("none") => return Ok(RopeScaling::None),
            // Without a type it is linear.
            None | Some("linear") => {}
            Some(other) => {
                return Err(self.unsupported(
                    "rope.scaling.type",
                    quoted(other),
                    "none, linear, or factors in rope_freqs.weight".to_owned(),
                ));
            }
        }
        let factor = |name| self.metadata.float(&self.key(name));
        let factor = match factor("rope.scaling.factor")? {
            Some(factor) => Some(factor),
            // The name in older files.
            None => factor("rope.scale_linear")?,
        };
        Ok(match factor {
            // 0 is how llama.cpp says that there is none.
            None | Some(0.0) => RopeScaling::None,
            Some(factor) => RopeScaling::Linear {
                factor: factor.into(),
            },
        })
    }
}
