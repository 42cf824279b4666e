//! RMSNorm (Zhang and Sennrich, arXiv 1910.07467, eq. 4).

use burn::module::Module;
use burn::tensor::Tensor;

use crate::kernels::{KernelError, rms_norm, runs_wgsl};

/// Root mean square normalisation of a row x:
///
/// y = x / sqrt(mean(x²) + ε) · w
///
/// Where:
/// - mean(x²) is over the row's elements
/// - ε keeps the divisor above 0
/// - w is a weight per element
#[derive(Module, Debug)]
pub struct RmsNorm {
    weight: Tensor<1>,
    #[module(skip)]
    epsilon: f32,
}

impl RmsNorm {
    /// A norm with w, `[width]`, f32, and ε.
    pub fn new(weight: Tensor<1>, epsilon: f32) -> Self {
        Self { weight, epsilon }
    }

    /// w, `[width]`.
    pub(crate) fn weight(&self) -> &Tensor<1> {
        &self.weight
    }

    /// Norms each row.
    ///
    /// # Shapes
    ///
    /// - input: `[rows, width]`, f32
    /// - output: `[rows, width]`, f32
    ///
    /// # Errors
    ///
    /// [`KernelError`] for rows of another width.
    pub fn forward(&self, input: Tensor<2>) -> Result<Tensor<2>, KernelError> {
        if runs_wgsl(&input.device()) {
            return rms_norm(input, self.weight.clone(), self.epsilon);
        }
        let mean_square = input.clone().square().mean_dim(1);
        let root = mean_square.add_scalar(self.epsilon).sqrt();
        Ok(input / root * self.weight.clone().unsqueeze::<2>())
    }
}
