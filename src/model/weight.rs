//! Roles of a model's tensors. Their names are [`Architecture`](super::Architecture)'s.

use super::spec::LayerSpec;

/// Role of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    /// `[vocabulary, width]`
    TokenEmbedding,
    /// `[width]`
    OutputNorm,
    /// `[vocabulary, width]`, where the embedding does not serve.
    Output,
    /// `[pairs]`: divisors of the rotary frequencies, in files of Llama 3.1 and later.
    RopeFactors,
    /// A layer's tensor.
    Layer {
        /// The layer, from 0.
        layer: usize,
        /// Role in the layer.
        part: LayerPart,
    },
}

/// Role of a tensor in its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(
    missing_docs,
    reason = "the names say it; shapes are `LlamaConfig::shape`'s"
)]
pub enum LayerPart {
    AttentionNorm,
    Query,
    Key,
    Value,
    QueryBias,
    KeyBias,
    ValueBias,
    QueryNorm,
    KeyNorm,
    AttentionOutput,
    FeedForwardNorm,
    Gate,
    Up,
    Down,
}

impl LayerPart {
    /// All parts.
    pub const ALL: [Self; 14] = [
        Self::AttentionNorm,
        Self::Query,
        Self::Key,
        Self::Value,
        Self::QueryBias,
        Self::KeyBias,
        Self::ValueBias,
        Self::QueryNorm,
        Self::KeyNorm,
        Self::AttentionOutput,
        Self::FeedForwardNorm,
        Self::Gate,
        Self::Up,
        Self::Down,
    ];

    /// True if a layer of this description has the part.
    pub fn is_in(self, layer: &LayerSpec) -> bool {
        match self {
            Self::QueryBias | Self::KeyBias | Self::ValueBias => layer.biases.query_key_value,
            Self::QueryNorm | Self::KeyNorm => layer.head_norms,
            Self::AttentionNorm
            | Self::Query
            | Self::Key
            | Self::Value
            | Self::AttentionOutput
            | Self::FeedForwardNorm
            | Self::Gate
            | Self::Up
            | Self::Down => true,
        }
    }
}
