//! Feed-forward with a gate: SwiGLU and GEGLU (Shazeer, arXiv 2002.05202, eq. 6).

use std::f64::consts::FRAC_2_PI;

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::{sigmoid, silu};

use super::matrix::Matrix;
use super::spec::Activation;
use crate::kernels::KernelError;

/// Gated feed-forward of a token x:
///
/// y = W_down · (a(W_gate · x + b_gate) ⊙ (W_up · x + b_up)) + b_down
///
/// Where:
/// - a is an [`Activation`], per element
/// - ⊙ is the product per element
/// - b are the biases, where the model has them
#[derive(Module, Debug)]
pub struct FeedForward {
    /// W_gate, `[feed_forward, width]`.
    pub(crate) gate: Matrix,
    /// W_up, `[feed_forward, width]`.
    pub(crate) up: Matrix,
    /// W_down, `[width, feed_forward]`.
    pub(crate) down: Matrix,
    /// b_gate, `[feed_forward]`.
    pub(crate) gate_bias: Option<Tensor<1>>,
    /// b_up, `[feed_forward]`.
    pub(crate) up_bias: Option<Tensor<1>>,
    /// b_down, `[width]`.
    pub(crate) down_bias: Option<Tensor<1>>,
    #[module(skip)]
    pub(crate) activation: Activation,
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
        let gate = biased(self.gate.product(input.clone())?, self.gate_bias.as_ref());
        let up = biased(self.up.product(input)?, self.up_bias.as_ref());
        let gate = match self.activation {
            Activation::Silu => silu(gate),
            Activation::Gelu => gelu(gate),
        };
        Ok(biased(
            self.down.product(gate * up)?,
            self.down_bias.as_ref(),
        ))
    }
}

/// Rows plus a bias, if there is one.
pub(super) fn biased(rows: Tensor<2>, bias: Option<&Tensor<1>>) -> Tensor<2> {
    match bias {
        Some(bias) => rows + bias.clone().unsqueeze::<2>(),
        None => rows,
    }
}

/// ½x · (1 + tanh u), with u = √(2/π) · (x + 0.044715x³), as x · sigmoid(2u), which is the same.
fn gelu(input: Tensor<2>) -> Tensor<2> {
    let cubic = input.clone() * input.clone().square().mul_scalar(0.044_715).add_scalar(1.0);
    input * sigmoid(cubic.mul_scalar(2.0 * FRAC_2_PI.sqrt()))
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn gelu_is_the_papers_by_tanh() {
        let inputs = [-30.0, -3.0, -0.5, 0.0, 0.7, 2.0, 25.0_f32];
        let data = TensorData::new(inputs.to_vec(), [1, inputs.len()]);
        let found = gelu(Tensor::from_data(data, &Device::flex()));
        let found: Vec<f32> = found.try_into_data().unwrap().try_to_vec().unwrap();
        for (x, found) in inputs.into_iter().zip(found) {
            let x = f64::from(x);
            let expected =
                0.5 * x * (1.0 + (FRAC_2_PI.sqrt() * (x + 0.044_715 * x.powi(3))).tanh());
            assert!((f64::from(found) - expected).abs() < 1e-6, "{x}: {found}");
        }
    }
}
