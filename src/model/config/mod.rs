//! Sizes of a model, read from a file's metadata and checked once.

mod gguf;
mod hugging_face;

use super::architecture::Architecture;
use super::error::ModelError;
use super::rope::{RopeConfig, RopeScaling};
use super::spec::LayerSpec;
use super::weight::{LayerPart, Weight};
use crate::cache::ScopeCacheConfig;

/// Sizes of a model of the Llama family.
#[derive(Debug, Clone, PartialEq)]
pub struct LlamaConfig {
    /// Architecture, which describes the layers.
    pub architecture: Architecture,
    /// Layers.
    pub layers: usize,
    /// Elements of a token's hidden state.
    pub width: usize,
    /// Elements between a feed-forward's matrices.
    pub feed_forward: usize,
    /// Query heads per layer.
    pub query_heads: usize,
    /// KV heads per layer.
    pub kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// Tokens that the model knows.
    pub vocabulary: usize,
    /// Positions that the model was trained for.
    pub context: usize,
    /// ε of RMSNorm, added to the mean square.
    pub norm_epsilon: f32,
    /// True if the embedding serves as the output, too.
    pub tied: bool,
    /// Rotation of queries and keys.
    pub rope: RopeConfig,
}

impl LlamaConfig {
    /// A cache for this model that evicts nothing.
    pub fn cache(&self) -> ScopeCacheConfig {
        ScopeCacheConfig::new(self.layers, self.query_heads, self.kv_heads, self.head_dim)
    }

    /// Description of layer `number`, from 0.
    pub fn layer(&self, number: usize) -> LayerSpec {
        let llama = LayerSpec::llama(self.head_dim, self.rope);
        (self.architecture.spec().layer)(llama, number)
    }

    /// Shape of a tensor, the dimension whose elements are neighbours last; `None` if the model has
    /// no such tensor.
    pub fn shape(&self, weight: Weight) -> Option<Vec<usize>> {
        use LayerPart as Part;
        let queries = self.query_heads * self.head_dim;
        let keys = self.kv_heads * self.head_dim;
        let width = self.width;
        Some(match weight {
            Weight::TokenEmbedding | Weight::Output => vec![self.vocabulary, width],
            Weight::OutputNorm => vec![width],
            Weight::RopeFactors => vec![self.rope.rotated / 2],
            Weight::Layer { layer, part } => match part {
                _ if layer >= self.layers || !part.is_in(&self.layer(layer)) => return None,
                Part::AttentionNorm | Part::FeedForwardNorm => vec![width],
                Part::Query => vec![queries, width],
                Part::Key | Part::Value => vec![keys, width],
                Part::AttentionOutput => vec![width, queries],
                Part::Gate | Part::Up => vec![self.feed_forward, width],
                Part::Down => vec![width, self.feed_forward],
                Part::QueryBias => vec![queries],
                Part::KeyBias | Part::ValueBias => vec![keys],
                Part::QueryNorm | Part::KeyNorm => vec![self.head_dim],
            },
        })
    }

    /// True if the model cannot do without a tensor.
    pub fn requires(&self, weight: Weight) -> bool {
        match weight {
            Weight::RopeFactors => false,
            Weight::Output => !self.tied,
            other => self.shape(other).is_some(),
        }
    }

    /// Checks every size; `key` gives a field's name in the file that it came from.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] with the first field in question.
    fn validate(&self, key: impl Fn(&str) -> String) -> Result<(), ModelError> {
        let wrong = |field: &str, found: String, allowed: &str| ModelError::Config {
            field: key(field),
            found,
            allowed: allowed.to_owned(),
        };
        for (field, value, most) in [
            ("layers", self.layers, MOST_LAYERS),
            ("width", self.width, MOST_WIDTH),
            ("feed_forward", self.feed_forward, MOST_WIDTH),
            ("query_heads", self.query_heads, MOST_HEADS),
            ("kv_heads", self.kv_heads, MOST_HEADS),
            ("head_dim", self.head_dim, MOST_HEAD_DIM),
            ("vocabulary", self.vocabulary, MOST_TOKENS),
            ("context", self.context, MOST_CONTEXT),
        ] {
            if !(1..=most).contains(&value) {
                return Err(wrong(field, value.to_string(), &format!("1 to {most}")));
            }
        }
        if !self.query_heads.is_multiple_of(self.kv_heads) {
            let allowed = format!("a divisor of the {} query heads", self.query_heads);
            return Err(wrong("kv_heads", self.kv_heads.to_string(), &allowed));
        }
        if !self.head_dim.is_multiple_of(2) {
            return Err(wrong(
                "head_dim",
                self.head_dim.to_string(),
                "an even number",
            ));
        }
        let rotated = self.rope.rotated;
        if rotated > self.head_dim || !rotated.is_multiple_of(2) || rotated == 0 {
            let allowed = format!("an even number from 2 to {}", self.head_dim);
            return Err(wrong("rotated", rotated.to_string(), &allowed));
        }
        if !(self.norm_epsilon > 0.0 && self.norm_epsilon < 1.0) {
            let found = self.norm_epsilon.to_string();
            return Err(wrong("norm_epsilon", found, "between 0 and 1"));
        }
        let (least, most) = ROPE_NUMBERS;
        let positive = |field, value: f64| {
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                let allowed = format!("{least:e} to {most:e}");
                Err(wrong(field, value.to_string(), &allowed))
            }
        };
        positive("rope_base", self.rope.base)?;
        match self.rope.scaling {
            RopeScaling::None => Ok(()),
            RopeScaling::Linear { factor } => positive("rope_factor", factor),
            RopeScaling::Llama3 {
                factor,
                low_frequency_factor,
                high_frequency_factor,
                original_context,
            } => {
                positive("rope_factor", factor)?;
                positive("low_frequency_factor", low_frequency_factor)?;
                positive("high_frequency_factor", high_frequency_factor)?;
                positive("original_context", original_context as f64)?;
                if high_frequency_factor > low_frequency_factor {
                    return Ok(());
                }
                let found = high_frequency_factor.to_string();
                let allowed = format!("above the low one, {low_frequency_factor}");
                Err(wrong("high_frequency_factor", found, &allowed))
            }
        }
    }
}

const MOST_LAYERS: usize = 1 << 10;
const MOST_WIDTH: usize = 1 << 20;
const MOST_HEADS: usize = 1 << 12;
const MOST_HEAD_DIM: usize = 1 << 12;
const MOST_TOKENS: usize = 1 << 22;
const MOST_CONTEXT: usize = 1 << 27;
/// Bounds of RoPE's base and factors: far below and above any model's, and no angle becomes
/// infinite.
const ROPE_NUMBERS: (f64, f64) = (1e-6, 1e15);
