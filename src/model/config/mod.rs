//! What a model is: its sizes, read from a file's metadata and checked once.

mod gguf;
mod hugging_face;

use super::architecture::Architecture;
use super::error::ModelError;
use super::weight::{LayerPart, Weight};
use crate::cache::ScopeCacheConfig;

/// The sizes of a model of the Llama family.
#[derive(Debug, Clone, PartialEq)]
pub struct LlamaConfig {
    /// Which architecture.
    pub architecture: Architecture,
    /// Layers.
    pub layers: usize,
    /// Elements of a token's hidden state.
    pub width: usize,
    /// Elements between a feed-forward's matrices.
    pub feed_forward: usize,
    /// Query heads a layer.
    pub query_heads: usize,
    /// KV heads a layer.
    pub kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// Tokens that the model knows.
    pub vocabulary: usize,
    /// Positions that the model was trained for.
    pub context: usize,
    /// What RMSNorm adds to the mean square.
    pub norm_epsilon: f32,
    /// Whether the embedding serves as the output, too.
    pub tied: bool,
    /// Whether queries, keys and values have biases.
    pub biases: bool,
    /// The rotation of queries and keys.
    pub rope: RopeConfig,
}

/// The rotation of queries and keys.
#[derive(Debug, Clone, PartialEq)]
pub struct RopeConfig {
    /// Which elements make a pair.
    pub layout: RopeLayout,
    /// The base of the frequencies.
    pub base: f64,
    /// How many of a head's elements are turned, the first ones; an even number.
    pub rotated: usize,
    /// How frequencies are stretched for longer contexts.
    pub scaling: RopeScaling,
}

/// Which elements of a head are turned together. GGUF files of Llamas have the rows of queries and keys reordered for the
/// first; all others use the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RopeLayout {
    /// 2i and 2i + 1.
    Interleaved,
    /// i and i + pairs.
    Halves,
}

/// How frequencies are stretched for longer contexts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RopeScaling {
    /// Not at all; a file may still carry factors.
    None,
    /// All by one factor (Chen et al., arXiv 2306.15595).
    Linear {
        /// The factor.
        factor: f64,
    },
    /// Long waves only, as in Llama 3.1.
    Llama3 {
        /// By how much long waves are stretched.
        factor: f64,
        /// Waves longer than the original context by this are long.
        low_frequency_factor: f64,
        /// Waves shorter than the original context by this are short.
        high_frequency_factor: f64,
        /// Positions that the model was first trained for.
        original_context: usize,
    },
}

impl LlamaConfig {
    /// A cache for this model that evicts nothing.
    pub fn cache(&self) -> ScopeCacheConfig {
        ScopeCacheConfig::new(self.layers, self.query_heads, self.kv_heads, self.head_dim)
    }

    /// The shape of a tensor, the dimension whose elements are neighbours last; `None` if the model has no such tensor.
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
                _ if layer >= self.layers => return None,
                Part::AttentionNorm | Part::FeedForwardNorm => vec![width],
                Part::Query => vec![queries, width],
                Part::Key | Part::Value => vec![keys, width],
                Part::AttentionOutput => vec![width, queries],
                Part::Gate | Part::Up => vec![self.feed_forward, width],
                Part::Down => vec![width, self.feed_forward],
                Part::QueryBias if self.biases => vec![queries],
                Part::KeyBias | Part::ValueBias if self.biases => vec![keys],
                Part::QueryNorm | Part::KeyNorm if self.architecture.has_head_norms() => {
                    vec![self.head_dim]
                }
                _ => return None,
            },
        })
    }

    /// Whether the model can't do without a tensor.
    pub fn requires(&self, weight: Weight) -> bool {
        match weight {
            Weight::RopeFactors => false,
            Weight::Output => !self.tied,
            other => self.shape(other).is_some(),
        }
    }

    /// Checks every size; `key` gives a field's name in the file it came from.
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
/// Of RoPE's base and factors: far below and above any model's, and no angle becomes infinite.
const ROPE_NUMBERS: (f64, f64) = (1e-6, 1e15);
