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
    /// True if queries and keys are normed, each head by itself, before they are rotated (Qwen3,
    /// arXiv 2505.09388, section 2).
    pub head_norms: bool,
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
            head_norms: false,
            residual_scale: 1.0,
        }
    }
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
    };

    /// Layers that no path computes, each with one feature, by what that is called.
    pub fn not_computed() -> Vec<(&'static str, LayerSpec)> {
        let llama = LayerSpec::llama(8, ROPE);
        let biases = llama.biases;
        vec![
            (
                "norms",
                LayerSpec {
                    norms: NormPlaces::After,
                    ..llama
                },
            ),
            (
                "norms",
                LayerSpec {
                    norms: NormPlaces::Sandwich,
                    ..llama
                },
            ),
            (
                "activation",
                LayerSpec {
                    activation: Activation::Gelu,
                    ..llama
                },
            ),
            (
                "rope",
                LayerSpec {
                    rope: None,
                    ..llama
                },
            ),
            (
                "window",
                LayerSpec {
                    window: Some(512),
                    ..llama
                },
            ),
            (
                "softcap",
                LayerSpec {
                    softcap: Some(50.0),
                    ..llama
                },
            ),
            (
                "biases",
                LayerSpec {
                    biases: Biases {
                        output: true,
                        ..biases
                    },
                    ..llama
                },
            ),
            (
                "biases",
                LayerSpec {
                    biases: Biases {
                        feed_forward: true,
                        ..biases
                    },
                    ..llama
                },
            ),
            (
                "residual scale",
                LayerSpec {
                    residual_scale: 0.22,
                    ..llama
                },
            ),
        ]
    }
}
