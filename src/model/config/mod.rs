//! Sizes of a model, read from a file's metadata and checked once.

mod gguf;
mod hugging_face;
mod rope;

pub(super) use gguf::GgufKeys;
pub(super) use hugging_face::JsonFields;

use super::architecture::Architecture;
use super::error::ModelError;
use super::rope::{RopeConfig, RopeFactors, RopeScaling};
use super::spec::{Biases, LayerSpec, NormSpan, QueryGrowth};
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
    /// Rotation of queries and keys, in layers that say nothing else.
    pub rope: RopeConfig,
    /// Factor of the embedding's rows.
    pub embedding_scale: f32,
    /// Factor of the logits.
    pub logit_scale: f32,
    /// Facts of the layers.
    pub facts: LayerFacts,
}

/// Facts of a model's layers in which files of one architecture differ.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LayerFacts {
    /// Positions that a query attends to, in layers with a window.
    pub window: Option<usize>,
    /// True per layer with a window; empty if none has one.
    pub windowed: Vec<bool>,
    /// Rotation in layers with a window; `None` for that of the others.
    pub local_rope: Option<RopeConfig>,
    /// True per layer without rotation; empty if all rotate.
    pub unrotated: Vec<bool>,
    /// Divisors of the frequencies of the layers without a window, as far as `config.json` has
    /// them.
    pub rope_factors: RopeFactors,
    /// Factor of query · key; `None` for 1/√head_dim.
    pub scale: Option<f32>,
    /// Factor of what attention and feed-forward add; `None` for 1.
    pub residual_scale: Option<f32>,
    /// Biases: those that there may be, and once the model is loaded those that there are.
    pub biases: Biases,
    /// Growth of queries with the position.
    pub query_growth: Option<QueryGrowth>,
}

impl LlamaConfig {
    /// A cache for this model that evicts nothing.
    pub fn cache(&self) -> ScopeCacheConfig {
        ScopeCacheConfig::new(self.layers, self.query_heads, self.kv_heads, self.head_dim)
            .with_windows(self.windows())
    }

    /// Newest positions that each layer's queries see, `None` for all; empty if no layer has a
    /// window.
    pub fn windows(&self) -> Vec<Option<usize>> {
        let windows = (0..self.layers).map(|number| self.layer(number).window);
        let windows: Vec<Option<usize>> = windows.collect();
        match windows.iter().any(Option::is_some) {
            true => windows,
            false => Vec::new(),
        }
    }

    /// Description of layer `number`, from 0.
    pub fn layer(&self, number: usize) -> LayerSpec {
        let facts = &self.facts;
        let is_in = |layers: &[bool]| layers.get(number).copied().unwrap_or(false);
        let windowed = is_in(&facts.windowed);
        let llama = LayerSpec::llama(self.head_dim, self.rope);
        let local = facts.local_rope.filter(|_| windowed);
        let layer = LayerSpec {
            rope: (!is_in(&facts.unrotated)).then(|| local.unwrap_or(self.rope)),
            window: facts.window.filter(|_| windowed),
            scale: facts.scale.unwrap_or(llama.scale),
            residual_scale: facts.residual_scale.unwrap_or(llama.residual_scale),
            biases: facts.biases,
            query_growth: facts.query_growth,
            ..llama
        };
        (self.architecture.spec().layer)(layer, number)
    }

    /// The layers' rotations, each once, in the order in which they come first.
    pub fn ropes(&self) -> Vec<RopeConfig> {
        let mut ropes = Vec::new();
        for rope in (0..self.layers).filter_map(|layer| self.layer(layer).rope) {
            if !ropes.contains(&rope) {
                ropes.push(rope);
            }
        }
        ropes
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
            Weight::ShortRopeFactors | Weight::LongRopeFactors => match self.rope.scaling {
                RopeScaling::LongRope { .. } => vec![self.rope.rotated / 2],
                _ => return None,
            },
            Weight::Layer { layer, part } => match part {
                _ if layer >= self.layers || !part.is_in(&self.layer(layer)) => return None,
                Part::AttentionNorm
                | Part::AttentionPostNorm
                | Part::FeedForwardNorm
                | Part::FeedForwardPostNorm => vec![width],
                Part::QueryKeyValue => vec![queries + 2 * keys, width],
                Part::GateUp => vec![2 * self.feed_forward, width],
                Part::Query => vec![queries, width],
                Part::Key | Part::Value => vec![keys, width],
                Part::AttentionOutput => vec![width, queries],
                Part::Gate | Part::Up => vec![self.feed_forward, width],
                Part::Down => vec![width, self.feed_forward],
                Part::QueryBias => vec![queries],
                Part::KeyBias | Part::ValueBias => vec![keys],
                Part::OutputBias | Part::DownBias => vec![width],
                Part::GateBias | Part::UpBias => vec![self.feed_forward],
                Part::QueryNorm | Part::KeyNorm => match self.layer(layer).query_key_norms {
                    Some(NormSpan::AllHeads) if part == Part::QueryNorm => vec![queries],
                    Some(NormSpan::AllHeads) => vec![keys],
                    _ => vec![self.head_dim],
                },
            },
        })
    }

    /// True if the model cannot do without a tensor.
    pub fn requires(&self, weight: Weight) -> bool {
        match weight {
            Weight::RopeFactors => false,
            Weight::Output => !self.tied,
            Weight::Layer { part, .. } if part.is_bias() || !part.joins().is_empty() => false,
            other => self.shape(other).is_some(),
        }
    }

    /// Checks every size; `key` gives a field's name in the file that it came from.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] with the first field in question.
    fn validate_sizes(&self, key: impl Fn(&str) -> String) -> Result<(), ModelError> {
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
        if !(self.norm_epsilon > 0.0 && self.norm_epsilon < 1.0) {
            let found = self.norm_epsilon.to_string();
            return Err(wrong("norm_epsilon", found, "between 0 and 1"));
        }
        Ok(())
    }

    /// Checks what else a file says; `key` gives a field's name in it. Sizes may have changed.
    ///
    /// # Errors
    ///
    /// As [`validate_sizes`](Self::validate_sizes).
    fn validate(&self, key: impl Fn(&str) -> String) -> Result<(), ModelError> {
        self.validate_sizes(&key)?;
        let facts = &self.facts;
        for rope in [Some(&self.rope), facts.local_rope.as_ref()] {
            rope.map_or(Ok(()), |rope| rope::validate(rope, self.head_dim, &key))?;
        }
        let is_windowed = facts.windowed.iter().any(|windowed| *windowed);
        if let Some(window) = facts.window.filter(|_| is_windowed)
            && !(1..=self.context).contains(&window)
        {
            return Err(ModelError::Config {
                field: key("window"),
                found: window.to_string(),
                allowed: format!("1 to the context's {}", self.context),
            });
        }
        Ok(())
    }
}

const MOST_LAYERS: usize = 1 << 10;
const MOST_WIDTH: usize = 1 << 20;
const MOST_HEADS: usize = 1 << 12;
const MOST_HEAD_DIM: usize = 1 << 12;
const MOST_TOKENS: usize = 1 << 22;
const MOST_CONTEXT: usize = 1 << 27;
