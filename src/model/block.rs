//! One layer of a model: attention and feed-forward around a residual.

use burn::module::Module;
use burn::tensor::Tensor;

use super::attention::{Attention, CachePlace};
use super::error::ModelError;
use super::feed_forward::FeedForward;
use super::norm::RmsNorm;
use super::rope::RopeConfig;
use super::rotation::Rotation;
use super::spec::{Activation, LayerSpec, NormPlaces};
use crate::Error;
use crate::cache::ScopeCache;

/// One layer, for tokens x:
///
/// x' = x + attention(norm₁(x)), y = x' + feed_forward(norm₂(x'))
///
/// Where:
/// - norm₁ and norm₂ are [`RmsNorm`]s
/// - attention is over a cache, see [`Attention`]
/// - feed_forward is a [`FeedForward`]
#[derive(Module, Debug)]
pub struct Block {
    pub(crate) attention_norm: RmsNorm,
    pub(crate) attention: Attention,
    pub(crate) feed_forward_norm: RmsNorm,
    pub(crate) feed_forward: FeedForward,
}

impl Block {
    /// Checks that these modules compute layer `number` of a model whose layers all rotate by
    /// `model_rope`.
    ///
    /// # Errors
    ///
    /// [`ModelError::Unsupported`] with the first feature that they don't compute.
    pub(super) fn expect_computes(
        number: usize,
        layer: &LayerSpec,
        model_rope: &RopeConfig,
    ) -> Result<(), ModelError> {
        // All fields by name, so that none is forgotten when there is one more.
        let LayerSpec {
            norms,
            activation,
            rope,
            window,
            // Attention scales its queries.
            scale: _,
            softcap,
            biases,
            // A projection has its norm or none.
            head_norms: _,
            residual_scale,
        } = layer;
        let features = [
            (
                "norms",
                format!("{norms:?}"),
                *norms == NormPlaces::Before,
                "norms before attention and feed-forward",
            ),
            (
                "activation",
                format!("{activation:?}"),
                *activation == Activation::Silu,
                "SiLU",
            ),
            (
                "rope",
                format!("{rope:?}"),
                rope.as_ref() == Some(model_rope),
                "one RoPE for all layers",
            ),
            (
                "window",
                format!("{window:?}"),
                window.is_none(),
                "attention to all positions",
            ),
            (
                "softcap",
                format!("{softcap:?}"),
                softcap.is_none(),
                "attention logits without a bound",
            ),
            (
                "biases",
                format!("{biases:?}"),
                !biases.output && !biases.feed_forward,
                "biases of queries, keys and values alone",
            ),
            (
                "residual scale",
                residual_scale.to_string(),
                *residual_scale == 1.0,
                "a residual scale of 1",
            ),
        ];
        let missing = features.into_iter().find(|(.., computed, _)| !computed);
        missing.map_or(Ok(()), |(feature, found, _, supported)| {
            Err(ModelError::Unsupported {
                field: format!("layer {number}'s {feature}"),
                found,
                supported: supported.to_owned(),
            })
        })
    }

    /// Takes tokens into one layer of a cache.
    ///
    /// # Shapes
    ///
    /// - input: `[tokens, width]`, f32
    /// - output: `[tokens, width]`, f32
    pub(super) fn forward(
        &self,
        input: Tensor<2>,
        rotation: &Rotation,
        place: CachePlace<'_>,
    ) -> Result<Tensor<2>, Error> {
        self.around(input, |normed| {
            self.attention.forward(normed, rotation, place)
        })
    }

    /// Takes one token into that layer of each of `caches`.
    ///
    /// # Shapes
    ///
    /// - input: `[caches, width]`, f32
    /// - output: `[caches, width]`, f32
    pub(super) fn step_each(
        &self,
        input: Tensor<2>,
        rotation: &Rotation,
        layer: usize,
        caches: &mut [ScopeCache],
    ) -> Result<Tensor<2>, Error> {
        self.around(input, |normed| {
            self.attention.step_each(normed, rotation, layer, caches)
        })
    }

    fn around(
        &self,
        input: Tensor<2>,
        attention: impl FnOnce(Tensor<2>) -> Result<Tensor<2>, Error>,
    ) -> Result<Tensor<2>, Error> {
        let normed = self.attention_norm.forward(input.clone())?;
        let input = input + attention(normed)?;
        let normed = self.feed_forward_norm.forward(input.clone())?;
        Ok(input + self.feed_forward.forward(normed)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::spec::tests::{ROPE, not_computed};

    #[test]
    fn features_without_code_are_refused() {
        let llama = LayerSpec::llama(8, ROPE);
        assert_eq!(Block::expect_computes(0, &llama, &ROPE), Ok(()));
        let qwen = LayerSpec {
            head_norms: true,
            scale: 0.1,
            ..llama
        };
        assert_eq!(Block::expect_computes(0, &qwen, &ROPE), Ok(()));
        let other_rope = RopeConfig { base: 1e6, ..ROPE };
        let local = ("rope", LayerSpec::llama(8, other_rope));
        for (feature, layer) in not_computed().into_iter().chain([local]) {
            let error = Block::expect_computes(3, &layer, &ROPE).unwrap_err();
            assert_eq!(error.code(), "model-unsupported", "{feature}");
            let named = format!("layer 3's {feature}");
            assert!(error.to_string().contains(&named), "{error}");
        }
    }
}
