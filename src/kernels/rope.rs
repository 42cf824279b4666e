//! RoPE (Su et al., arXiv 2104.09864), `shaders/rope.wgsl`.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Dispatch, backend_extension};
use burn::tensor::{DType, Shape, Tensor};
use burn_wgpu::{CubeBackend, into_contiguous};

use super::error::{KernelError, expect_f32, expect_wgpu};
use super::launch::{empty, grid, launch, wgsl_kernel};

const NAME: &str = "rope";

/// The operation for burn's extension point; call [`rope`] instead.
#[backend_extension(Cube)]
pub trait RopeExtension: burn::backend::Backend {
    /// `input` `[tokens, heads, dim]`, `angles` `[tokens, pairs, 2]`, gives `[heads, tokens, dim]`.
    fn rope(
        input: FloatTensor<Self>,
        angles: FloatTensor<Self>,
        neighbours: bool,
    ) -> FloatTensor<Self>;
}

/// Rotates the first 2 · pairs elements of every head by their token's angles. The result has heads
/// before tokens. A pair is elements 2i and 2i + 1 with `neighbours`, else elements i and i +
/// pairs.
///
/// # Shapes
///
/// - input: `[tokens, heads, dim]`, f32, dim even
/// - angles: `[tokens, pairs, 2]`, f32, cosine and sine, 2 · pairs at most dim
/// - output: `[heads, tokens, dim]`, f32
///
/// # Errors
///
/// [`KernelError`] for other shapes or number types, or tensors on a device that runs no WGSL.
pub fn rope(
    input: Tensor<3>,
    angles: Tensor<3>,
    neighbours: bool,
) -> Result<Tensor<3>, KernelError> {
    let [tokens, heads, dim] = input.dims();
    let [rows, pairs, two] = angles.dims();
    if rows != tokens || two != 2 || 2 * pairs > dim || dim % 2 == 1 {
        return Err(KernelError::Shape {
            kernel: NAME,
            argument: "angles",
            shape: vec![rows, pairs, two],
            expected: format!("[{tokens}, at most {}, 2]", dim / 2),
        });
    }
    expect_f32(NAME, "input", &input)?;
    expect_f32(NAME, "angles", &angles)?;
    expect_wgpu(NAME, &input.device())?;
    if tokens * heads * dim == 0 {
        return Ok(input.swap_dims(0, 1));
    }
    Ok(Tensor::from_dispatch(<Dispatch as RopeExtension>::rope(
        input.into_dispatch(),
        angles.into_dispatch(),
        neighbours,
    )))
}

wgsl_kernel!(Rope, "rope.wgsl");

impl RopeExtension for CubeBackend {
    fn rope(
        input: FloatTensor<Self>,
        angles: FloatTensor<Self>,
        neighbours: bool,
    ) -> FloatTensor<Self> {
        const LANES: u32 = 64;
        let input = into_contiguous(input);
        let angles = into_contiguous(angles);
        let (shape, pairs) = (input.meta.shape().clone(), angles.meta.shape()[1]);
        let [tokens, heads, dim] = [shape[0], shape[1], shape[2]];
        let output = empty(&input, Shape::new([heads, tokens, dim]), DType::F32);
        let (count, line) = grid(((tokens * heads * dim / 2) as u32).div_ceil(LANES));
        let sizes = [tokens, heads, dim, 2 * pairs].map(|size| size as u32);
        let [tokens, heads, dim, turned] = sizes;
        launch(
            Rope,
            count,
            &[&input, &angles, &output],
            &[tokens, heads, dim, turned, u32::from(neighbours), line],
        );
        output
    }
}
