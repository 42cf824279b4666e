//! RMSNorm (Zhang and Sennrich 2019, eq. 4).

use burn::module::Module;
use burn::tensor::Tensor;

use crate::kernels::{KernelError, rms_norm, runs_wgsl};

/// Divides each row by its root mean square and scales it by a weight an element.
#[derive(Module, Debug)]
pub struct RmsNorm {
    weight: Tensor<1>,
    #[module(skip)]
    epsilon: f32,
}

impl RmsNorm {
    /// With `weight` `[width]`, f32, and what is added to the mean square.
    pub fn new(weight: Tensor<1>, epsilon: f32) -> Self {
        Self { weight, epsilon }
    }

    /// `[width]`
    pub(crate) fn weight(&self) -> &Tensor<1> {
        &self.weight
    }

    /// `[rows, width]` to the same shape, f32.
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
