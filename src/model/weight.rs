//! Roles of a model's tensors. Their names are [`Architecture`](super::Architecture)'s.

use super::spec::{LayerSpec, NormPlaces};

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
    /// `[pairs]`: divisors up to the original context, in files of Phi-3.
    ShortRopeFactors,
    /// `[pairs]`: divisors beyond the original context.
    LongRopeFactors,
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
    QueryKeyValue,
    QueryBias,
    KeyBias,
    ValueBias,
    QueryNorm,
    KeyNorm,
    AttentionOutput,
    OutputBias,
    AttentionPostNorm,
    FeedForwardNorm,
    Gate,
    Up,
    GateUp,
    Down,
    GateBias,
    UpBias,
    DownBias,
    FeedForwardPostNorm,
}

impl LayerPart {
    /// All parts.
    pub const ALL: [Self; 22] = [
        Self::AttentionNorm,
        Self::Query,
        Self::Key,
        Self::Value,
        Self::QueryKeyValue,
        Self::QueryBias,
        Self::KeyBias,
        Self::ValueBias,
        Self::QueryNorm,
        Self::KeyNorm,
        Self::AttentionOutput,
        Self::OutputBias,
        Self::AttentionPostNorm,
        Self::FeedForwardNorm,
        Self::Gate,
        Self::Up,
        Self::GateUp,
        Self::Down,
        Self::GateBias,
        Self::UpBias,
        Self::DownBias,
        Self::FeedForwardPostNorm,
    ];

    /// True if a layer of this description has the part.
    pub fn is_in(self, layer: &LayerSpec) -> bool {
        match self {
            Self::QueryBias | Self::KeyBias | Self::ValueBias => layer.biases.query_key_value,
            Self::OutputBias => layer.biases.output,
            Self::GateBias | Self::UpBias | Self::DownBias => layer.biases.feed_forward,
            Self::QueryNorm | Self::KeyNorm => layer.query_key_norms.is_some(),
            Self::AttentionNorm | Self::FeedForwardNorm => layer.norms != NormPlaces::After,
            Self::AttentionPostNorm | Self::FeedForwardPostNorm => {
                layer.norms != NormPlaces::Before
            }
            Self::Query
            | Self::Key
            | Self::Value
            | Self::QueryKeyValue
            | Self::AttentionOutput
            | Self::Gate
            | Self::Up
            | Self::GateUp
            | Self::Down => true,
        }
    }

    /// Matrices that files may have joined as this part, the first one uppermost.
    pub fn joins(self) -> &'static [Self] {
        match self {
            Self::QueryKeyValue => &[Self::Query, Self::Key, Self::Value],
            Self::GateUp => &[Self::Gate, Self::Up],
            _ => &[],
        }
    }

    /// True for a bias. A file may leave any of them out.
    pub fn is_bias(self) -> bool {
        matches!(
            self,
            Self::QueryBias
                | Self::KeyBias
                | Self::ValueBias
                | Self::OutputBias
                | Self::GateBias
                | Self::UpBias
                | Self::DownBias
        )
    }

    /// True for the weight of a norm.
    pub fn is_norm(self) -> bool {
        matches!(
            self,
            Self::AttentionNorm
                | Self::AttentionPostNorm
                | Self::FeedForwardNorm
                | Self::FeedForwardPostNorm
                | Self::QueryNorm
                | Self::KeyNorm
        )
    }
}

impl Weight {
    /// True for the weight of a norm.
    pub fn is_norm(self) -> bool {
        match self {
            Self::OutputNorm => true,
            Self::Layer { part, .. } => part.is_norm(),
            _ => false,
        }
    }
}
