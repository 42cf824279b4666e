//! Description of a layer, made once per architecture. Both paths read it: the modules of
//! [`crate::model`] and the kernels of [`crate::fused`].
//!
//! It has room for more than they compute. Each path takes the description apart field by field,
//! and refuses a feature that it has no code for. Nothing is left out in silence.

use super::rope::RopeConfig;
use crate::kernels::attention_scale;

/// Description of a layer: all of what it computes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerSpec {
    /// Places of the norms.
    pub norms: NormPlaces,
    /// Activation of the feed-forward's gate.
    pub activation: Activation,
    /// Rotation of queries and keys; `None` leaves them as they are (Kazemnejad et al., arXiv
    /// 2305.19466).
    pub rope: Option<RopeConfig>,
    /// Newest positions that a query attends to, its own among them; `None` for all of them.
    pub window: Option<usize>,
    /// Factor of query · key before the softmax.
    pub scale: f32,
    /// Bound c of attention logits, which become c · tanh(logit / c); `None` for no bound (Gemma 2,
    /// arXiv 2408.00118, section 2).
    pub softcap: Option<f32>,
    /// Projections that add a bias.
    pub biases: Biases,
    /// Span of the norms of queries and keys, before they are rotated; `None` for no such norms.
    pub query_key_norms: Option<NormSpan>,
    /// Growth of queries with the position; `None` for none.
    pub query_growth: Option<QueryGrowth>,
    /// Factor of what attention and feed-forward add to the hidden state.
    pub residual_scale: f32,
}

/// Places of the norms around attention and feed-forward, with f for either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormPlaces {
    /// x + f(norm(x)), as Llama has them.
    Before,
    /// x + norm(f(x)), as OLMo 2 has them.
    After,
    /// x + norm(f(norm(x))), as Gemma 2 has them.
    Sandwich,
}

/// Activation of the feed-forward's gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x · sigmoid(x) (Elfwing et al., arXiv 1702.03118).
    Silu,
    /// GELU by tanh (Hendrycks and Gimpel, arXiv 1606.08415, section 2).
    Gelu,
}

/// Elements that a norm of queries or keys goes over together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormSpan {
    /// Those of one head, with the same weights for all heads (Qwen3, arXiv 2505.09388, section 2).
    Head,
    /// Those of all heads (OLMo 2, arXiv 2501.00656, section 3.3).
    AllHeads,
}

/// Factor 1 + beta · ln(1 + ⌊position / length⌋) of queries (Llama 4 and Ministral 3).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QueryGrowth {
    /// Weight of the logarithm.
    pub beta: f32,
    /// Positions after which the factor first grows.
    pub length: usize,
}

/// Projections that add a bias.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Biases {
    /// Queries, keys and values.
    pub query_key_value: bool,
    /// Attention's output.
    pub output: bool,
    /// All of the feed-forward's.
    pub feed_forward: bool,
}

impl LayerSpec {
    /// Llama's layer, with heads of `head_dim` elements that `rope` rotates. Norms are before
    /// attention and feed-forward, the activation is SiLU, and there are no biases. Attention is to
    /// all positions, scaled by 1/√head_dim.
    pub fn llama(head_dim: usize, rope: RopeConfig) -> Self {
        Self {
            norms: NormPlaces::Before,
            activation: Activation::Silu,
            rope: Some(rope),
            window: None,
            scale: attention_scale(head_dim),
            softcap: None,
            biases: Biases::default(),
            query_key_norms: None,
            query_growth: None,
            residual_scale: 1.0,
        }
    }
}

impl QueryGrowth {
    /// Factor of a query at `position`.
    pub fn factor(self, position: usize) -> f32 {
        let lengths = position / self.length.max(1);
        1.0 + self.beta * (1.0 + lengths as f32).ln()
    }
}

impl Biases {
    /// Biases everywhere.
    pub const ALL: Self = Self {
        query_key_value: true,
        output: true,
        feed_forward: true,
    };
}

impl Activation {
    /// Name in `config.json`.
    pub fn hugging_face_name(self) -> &'static str {
        match self {
            Self::Silu => "silu",
            Self::Gelu => "gelu_pytorch_tanh",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::rope::{RopeLayout, RopeScaling};

    pub const ROPE: RopeConfig = RopeConfig {
        layout: RopeLayout::Halves,
        base: 1e4,
        rotated: 8,
        scaling: RopeScaling::None,
        attention_factor: 1.0,
    };

    /// Layers that no path computes, each with one feature, by what that is called.
    pub fn not_computed() -> Vec<(&'static str, LayerSpec)> {
        let llama = LayerSpec::llama(8, ROPE);
        vec![(
            "softcap",
            LayerSpec {
                softcap: Some(50.0),
                ..llama
            },
        )]
    }

    /// Layers that the modules compute, each with a feature that Llama's has not.
    pub fn computed_by_modules() -> Vec<LayerSpec> {
        let llama = LayerSpec::llama(8, ROPE);
        let norms = [NormPlaces::After, NormPlaces::Sandwich];
        let places = norms.map(|norms| LayerSpec { norms, ..llama });
        let spans = [NormSpan::Head, NormSpan::AllHeads];
        let spans = spans.map(|span| LayerSpec {
            query_key_norms: Some(span),
            ..llama
        });
        let others = [
            LayerSpec {
                window: Some(512),
                ..llama
            },
            LayerSpec {
                activation: Activation::Gelu,
                ..llama
            },
            LayerSpec {
                rope: None,
                ..llama
            },
            LayerSpec {
                biases: Biases::ALL,
                ..llama
            },
            LayerSpec {
                residual_scale: 0.22,
                ..llama
            },
            LayerSpec {
                scale: 0.1,
                ..llama
            },
            LayerSpec {
                query_growth: Some(QueryGrowth {
                    beta: 0.1,
                    length: 16,
                }),
                ..llama
            },
        ];
        [&places[..], &spans, &others].concat()
    }

    #[test]
    fn queries_grow_with_whole_lengths() {
        let growth = QueryGrowth {
            beta: 0.5,
            length: 4,
        };
        assert_eq!(growth.factor(3), 1.0);
        assert_eq!(growth.factor(4), 1.0 + 0.5 * 2.0_f32.ln());
        assert_eq!(growth.factor(7), growth.factor(4));
    }
}
