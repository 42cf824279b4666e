//! One layer: attention and feed-forward, each normed before and added to what came in.

use burn::module::Module;
use burn::tensor::Tensor;

use super::attention::{Attention, Place};
use super::feed_forward::FeedForward;
use super::norm::RmsNorm;
use super::rotation::Rotation;
use crate::Error;
use crate::cache::ScopeCache;

/// One layer of the model.
#[derive(Module, Debug)]
pub struct Block {
    pub(crate) attention_norm: RmsNorm,
    pub(crate) attention: Attention,
    pub(crate) feed_forward_norm: RmsNorm,
    pub(crate) feed_forward: FeedForward,
}

impl Block {
    /// `[tokens, width]` to the same shape.
    pub(super) fn forward(
        &self,
        input: Tensor<2>,
        rotation: &Rotation,
        place: Place<'_>,
    ) -> Result<Tensor<2>, Error> {
        self.around(input, |normed| {
            self.attention.forward(normed, rotation, place)
        })
    }

    /// One token for each of `caches`: `[caches, width]` to the same shape.
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
