//! Weight matrix on the device.

use burn::module::Module;
use burn::tensor::{DType, Int, Tensor, TensorData};

use crate::kernels::{BlockMatrix, KernelError, runs_wgsl};

/// Matrix W, `[rows, width]`: in its file's blocks where the kernels run, in f32 elsewhere.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly all are in blocks where there are kernels"
)]
pub enum Matrix {
    /// Quantised, on a WebGPU device.
    Blocks(BlockMatrix),
    /// Dequantised: on other devices, and where rows are no multiple of 32 elements.
    Plain(Tensor<2>),
}

impl Matrix {
    /// W · x for each token x.
    ///
    /// # Shapes
    ///
    /// - input: `[tokens, width]`, f32
    /// - output: `[tokens, rows]`, f32
    ///
    /// # Errors
    ///
    /// [`KernelError`] for an input of another width or on another kind of device.
    pub fn product(&self, input: Tensor<2>) -> Result<Tensor<2>, KernelError> {
        match self {
            Self::Blocks(matrix) => matrix.product(input),
            Self::Plain(matrix) => {
                let ([tokens, width], [_, expected]) = (input.dims(), matrix.dims());
                if width != expected {
                    return Err(KernelError::Shape {
                        kernel: "matrix_product",
                        argument: "input",
                        shape: input.dims().to_vec(),
                        expected: format!("[tokens, {expected}]"),
                    });
                }
                if tokens > 1 && !runs_wgsl(&input.device()) {
                    // burn's CPU device copies the right factor into panels at every product,
                    // unless it lies so already: for few tokens, that takes longer than the product
                    // itself.
                    let product = matrix.clone().matmul(input.transpose());
                    return Ok(product.transpose());
                }
                Ok(input.matmul(matrix.clone().transpose()))
            }
        }
    }

    /// Some rows of W. A number beyond the last row gives the last.
    ///
    /// # Shapes
    ///
    /// - output: `[rows, width]`, f32
    ///
    /// # Errors
    ///
    /// [`KernelError`] where a kernel refuses.
    pub fn rows(&self, rows: &[u32]) -> Result<Tensor<2>, KernelError> {
        let count = [rows.len()];
        match self {
            Self::Blocks(matrix) => {
                let rows = TensorData::new(rows.to_vec(), count);
                let device = matrix.device();
                matrix.rows(Tensor::<1, Int>::from_data(rows, (&device, DType::U32)))
            }
            Self::Plain(matrix) => {
                let [most, _] = matrix.dims();
                let rows = rows.iter().map(|row| i64::from(*row).min(most as i64 - 1));
                let rows = TensorData::new(rows.collect::<Vec<i64>>(), count);
                let rows = Tensor::<1, Int>::from_data(rows, &matrix.device());
                Ok(matrix.clone().select(0, rows))
            }
        }
    }

    /// Rows.
    pub fn height(&self) -> usize {
        match self {
            Self::Blocks(matrix) => matrix.shape().rows,
            Self::Plain(matrix) => matrix.dims()[0],
        }
    }

    /// Bytes on the device.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Blocks(matrix) => matrix.bytes(),
            Self::Plain(matrix) => matrix.dims().iter().product::<usize>() as u64 * 4,
        }
    }
}
