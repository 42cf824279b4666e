//! RMSNorm of rows (Zhang and Sennrich 2019, eq. 4), `shaders/rms_norm.wgsl`.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Dispatch, backend_extension};
use burn::tensor::{DType, Tensor};
use burn_wgpu::{CubeBackend, into_contiguous};

use super::error::{KernelError, expect_f32, expect_wgpu};
use super::launch::{empty, grid, launch, wgsl_kernel};

const NAME: &str = "rms_norm";

/// The operation for burn's extension point; call [`rms_norm`] instead, which checks its arguments.
#[backend_extension(Cube)]
pub trait RmsNormExtension: burn::backend::Backend {
    /// `input` `[rows, width]`, `weight` `[width]`, both f32, gives `[rows, width]`.
    fn rms_norm(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self>;
}

/// Divides each row by its root mean square and scales it: `x / sqrt(mean(x²) + epsilon) · weight`.
///
/// # Shapes
///
/// - input: `[rows, width]`, f32
/// - weight: `[width]`, f32
/// - output: `[rows, width]`, f32
///
/// # Errors
///
/// [`KernelError`] for other shapes or number types, or tensors on a device that runs no WGSL.
pub fn rms_norm(
    input: Tensor<2>,
    weight: Tensor<1>,
    epsilon: f32,
) -> Result<Tensor<2>, KernelError> {
    let [_, width] = input.dims();
    if weight.dims() != [width] {
        return Err(KernelError::Shape {
            kernel: NAME,
            argument: "weight",
            shape: weight.dims().to_vec(),
            expected: format!("[{width}], the width of the input's rows,"),
        });
    }
    expect_f32(NAME, "input", &input)?;
    expect_f32(NAME, "weight", &weight)?;
    expect_wgpu(NAME, &input.device())?;
    expect_wgpu(NAME, &weight.device())?;
    if input.dims().contains(&0) {
        return Ok(input);
    }
    Ok(Tensor::from_dispatch(
        <Dispatch as RmsNormExtension>::rms_norm(
            input.into_dispatch(),
            weight.into_dispatch(),
            epsilon,
        ),
    ))
}

wgsl_kernel!(RmsNorm, "rms_norm.wgsl");

impl RmsNormExtension for CubeBackend {
    fn rms_norm(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let input = into_contiguous(input);
        let weight = into_contiguous(weight);
        let output = empty(&input, input.meta.shape().clone(), DType::F32);
        let (rows, width) = (input.meta.shape()[0] as u32, input.meta.shape()[1] as u32);
        let (count, rows_per_line) = grid(rows);
        launch(
            RmsNorm,
            count,
            &[&input, &weight, &output],
            &[rows, width, epsilon.to_bits(), rows_per_line],
        );
        output
    }
}
