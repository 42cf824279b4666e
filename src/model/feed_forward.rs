//! Feed-forward with a gate: SwiGLU (Shazeer, arXiv 2002.05202, eq. 6).

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::silu;

use super::matrix::Matrix;
use crate::kernels::KernelError;

/// Gated feed-forward of a token x:
///
/// y = W_down · (SiLU(W_gate · x) ⊙ (W_up · x))
///
/// Where:
/// - SiLU(z) = z · sigmoid(z), per element
/// - ⊙ is the product per element
#[derive(Module, Debug)]
pub struct FeedForward {
    /// W_gate, `[feed_forward, width]`.
    pub(crate) gate: Matrix,
    /// W_up, `[feed_forward, width]`.
    pub(crate) up: Matrix,
    /// W_down, `[width, feed_forward]`.
    pub(crate) down: Matrix,
}

impl FeedForward {
    /// Computes y for each token.
    ///
    /// # Shapes
    ///
    /// - input: `[tokens, width]`, f32
    /// - output: `[tokens, width]`, f32
    ///
    /// # Errors
    ///
    /// [`KernelError`] for tokens of another width.
    pub fn forward(&self, input: Tensor<2>) -> Result<Tensor<2>, KernelError> {
        let gate = self.gate.product(input.clone())?;
        let up = self.up.product(input)?;
        self.down.product(silu(gate) * up)
    }
}
