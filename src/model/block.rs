//! One layer of a model: attention and feed-forward around a residual.

use burn::module::Module;
use burn::tensor::Tensor;

use super::attention::{Attention, CachePlace};
use super::error::ModelError;
use super::feed_forward::FeedForward;
use super::norm::RmsNorm;
use super::rotation::Rotations;
use super::spec::LayerSpec;
use crate::Error;
use crate::cache::ScopeCache;
use crate::kernels::KernelError;

/// One layer, for tokens x:
///
/// x' = x + r · norm₂(attention(norm₁(x))), y = x' + r · norm₄(feed_forward(norm₃(x')))
///
/// Where:
/// - norm₁ to norm₄ are [`RmsNorm`]s, or nothing: see [`NormPlaces`](super::NormPlaces)
/// - attention is over a cache, see [`Attention`]
/// - feed_forward is a [`FeedForward`]
/// - r is the layer's residual scale, 1 in most models
#[derive(Module, Debug)]
pub struct Block {
    pub(crate) attention_norm: Option<RmsNorm>,
    pub(crate) attention: Attention,
    pub(crate) attention_post_norm: Option<RmsNorm>,
    pub(crate) feed_forward_norm: Option<RmsNorm>,
    pub(crate) feed_forward: FeedForward,
    pub(crate) feed_forward_post_norm: Option<RmsNorm>,
    #[module(skip)]
    pub(crate) residual_scale: f32,
}

impl Block {
    /// Checks that these modules compute layer `number` of a model.
    ///
    /// # Errors
    ///
    /// [`ModelError::Unsupported`] with the feature that they don't compute.
    pub(super) fn expect_computes(number: usize, layer: &LayerSpec) -> Result<(), ModelError> {
        // All fields by name, so that none is forgotten when there is one more.
        let LayerSpec {
            // A block has the norms that it has.
            norms: _,
            activation: _,
            // A layer has its RoPE among the model's, or none.
            rope: _,
            // The cache holds it.
            window: _,
            // Attention scales its queries.
            scale: _,
            softcap,
            biases: _,
            query_key_norms: _,
            query_growth: _,
            residual_scale: _,
        } = layer;
        match softcap {
            None => Ok(()),
            Some(bound) => Err(ModelError::Unsupported {
                field: format!("layer {number}'s softcap"),
                found: bound.to_string(),
                supported: "attention logits without a bound".to_owned(),
            }),
        }
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
        rotations: &Rotations,
        place: CachePlace<'_>,
    ) -> Result<Tensor<2>, Error> {
        self.around(input, |normed| {
            self.attention.forward(normed, rotations, place)
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
        rotations: &Rotations,
        layer: usize,
        caches: &mut [ScopeCache],
    ) -> Result<Tensor<2>, Error> {
        self.around(input, |normed| {
            self.attention.step_each(normed, rotations, layer, caches)
        })
    }

    fn around(
        &self,
        input: Tensor<2>,
        attention: impl FnOnce(Tensor<2>) -> Result<Tensor<2>, Error>,
    ) -> Result<Tensor<2>, Error> {
        let normed = normed_of(self.attention_norm.as_ref(), input.clone())?;
        let attended = normed_of(self.attention_post_norm.as_ref(), attention(normed)?)?;
        let input = input + self.scaled(attended);
        let normed = normed_of(self.feed_forward_norm.as_ref(), input.clone())?;
        let output = self.feed_forward.forward(normed)?;
        let output = normed_of(self.feed_forward_post_norm.as_ref(), output)?;
        Ok(input + self.scaled(output))
    }

    fn scaled(&self, output: Tensor<2>) -> Tensor<2> {
        if self.residual_scale == 1.0 {
            output
        } else {
            output.mul_scalar(self.residual_scale)
        }
    }
}

/// Rows after a norm, if there is one.
fn normed_of(norm: Option<&RmsNorm>, rows: Tensor<2>) -> Result<Tensor<2>, KernelError> {
    match norm {
        Some(norm) => norm.forward(rows),
        None => Ok(rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::spec::tests::{ROPE, computed_by_modules, not_computed};

    #[test]
    fn features_without_code_are_refused() {
        let llama = LayerSpec::llama(8, ROPE);
        for layer in computed_by_modules().into_iter().chain([llama]) {
            assert_eq!(Block::expect_computes(0, &layer), Ok(()));
        }
        for (feature, layer) in not_computed() {
            let error = Block::expect_computes(3, &layer).unwrap_err();
            assert_eq!(error.code(), "model-unsupported", "{feature}");
            let named = format!("layer 3's {feature}");
            assert!(error.to_string().contains(&named), "{error}");
        }
    }
}
