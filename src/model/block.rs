//! One layer: attention and feed-forward, each normed before and added to what came in.

use burn::module::Module;
use burn::tensor::Tensor;

use super::attention::{Attention, Place};
use super::feed_forward::FeedForward;
use super::norm::RmsNorm;
use super::rotation::Rotation;
use crate::Error;

/// One layer of the model.
#[derive(Module, Debug)]
pub struct Block {
    pub(super) attention_norm: RmsNorm,
    pub(super) attention: Attention,
    pub(super) feed_forward_norm: RmsNorm,
    pub(super) feed_forward: FeedForward,
}

impl Block {
    /// `[tokens, width]` to the same shape.
    pub(super) fn forward(
        &self,
        input: Tensor<2>,
        rotation: &Rotation,
        place: Place<'_>,
    ) -> Result<Tensor<2>, Error> {
        let normed = self.attention_norm.forward(input.clone())?;
        let input = input + self.attention.forward(normed, rotation, place)?;
        let normed = self.feed_forward_norm.forward(input.clone())?;
        Ok(input + self.feed_forward.forward(normed)?)
    }
}
