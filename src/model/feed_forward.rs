//! SwiGLU (Shazeer, arXiv 2002.05202, eq. 6).

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::silu;

use super::matrix::Matrix;
use crate::kernels::KernelError;

/// down · (SiLU(gate · x) ⊙ (up · x)).
#[derive(Module, Debug)]
pub struct FeedForward {
    /// `[feed_forward, width]`
    pub(crate) gate: Matrix,
    /// `[feed_forward, width]`
    pub(crate) up: Matrix,
    /// `[width, feed_forward]`
    pub(crate) down: Matrix,
}

impl FeedForward {
    /// `[tokens, width]` to the same shape.
    ///
    /// # Errors
    ///
    /// [`KernelError`] where a kernel refuses.
    pub fn forward(&self, input: Tensor<2>) -> Result<Tensor<2>, KernelError> {
        let gate = self.gate.product(input.clone())?;
        let up = self.up.product(input)?;
        self.down.product(silu(gate) * up)
    }
}
