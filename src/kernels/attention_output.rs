//! Attention output: probabilities times a cache's values,
//! `shaders/attention/attention_output.wgsl`.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Dispatch, backend_extension};
use burn::tensor::{DType, Shape, Tensor};
use burn_wgpu::{CubeBackend, into_contiguous};

use super::attention_probabilities::{ROWS, attention_takes};
use super::error::{KernelError, expect_f32, expect_wgpu};
use super::launch::{empty, grid, launch, wgsl_kernel};

const NAME: &str = "attention_output";

/// The operation as burn's extension point takes it; call [`attention_output`] instead.
#[backend_extension(Cube)]
pub trait AttentionOutputExtension: burn::backend::Backend {
    /// `probabilities` `[kv_heads, group, queries, slots]` and `values` `[kv_heads, slots, dim]`
    /// give `[query_heads, queries, dim]`.
    fn attention_output(
        probabilities: FloatTensor<Self>,
        values: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

/// The values of the slots, weighted by the probabilities.
///
/// # Shapes
///
/// - probabilities: `[kv_heads, group, queries, slots]`, f32
/// - values: `[kv_heads, slots, dim]`, f32
/// - output: `[kv_heads · group, queries, dim]`, f32
///
/// # Errors
///
/// [`KernelError`] for shapes that don't fit, other number types, or tensors on a device that runs
/// no WGSL.
pub fn attention_output(
    probabilities: Tensor<4>,
    values: Tensor<3>,
) -> Result<Tensor<3>, KernelError> {
    let [heads, group, count, slots] = probabilities.dims();
    let [value_heads, value_slots, dim] = values.dims();
    if [value_heads, value_slots] != [heads, slots] || !attention_takes(dim) {
        return Err(KernelError::Shape {
            kernel: NAME,
            argument: "values",
            shape: vec![value_heads, value_slots, dim],
            expected: format!("[{heads}, {slots}, a multiple of 4 up to 256]"),
        });
    }
    expect_f32(NAME, "probabilities", &probabilities)?;
    expect_f32(NAME, "values", &values)?;
    expect_wgpu(NAME, &values.device())?;
    if heads * group * count * slots == 0 {
        let shape = [heads * group, count, dim];
        return Ok(Tensor::zeros(shape, &values.device()));
    }
    Ok(Tensor::from_dispatch(
        <Dispatch as AttentionOutputExtension>::attention_output(
            probabilities.into_dispatch(),
            values.into_dispatch(),
        ),
    ))
}

wgsl_kernel!(AttentionOutput, "attention/attention_output.wgsl");

impl AttentionOutputExtension for CubeBackend {
    fn attention_output(
        probabilities: FloatTensor<Self>,
        values: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let probabilities = into_contiguous(probabilities);
        let values = into_contiguous(values);
        let shape = probabilities.meta.shape();
        let (heads, group, count, slots) = (shape[0], shape[1], shape[2], shape[3]);
        let dim = values.meta.shape()[2];
        let output = Shape::new([heads * group, count, dim]);
        let output = empty(&values, output, DType::F32);
        let rows = group * count;
        let tiles = rows.div_ceil(ROWS);
        let (workgroups, line) = grid((heads * tiles) as u32);
        let sizes = [rows, slots, dim / 4, tiles].map(|size| size as u32);
        let [rows, slots, parts, tiles] = sizes;
        launch(
            AttentionOutput,
            workgroups,
            &[&probabilities, &values, &output],
            &[rows, slots, parts, tiles, line, heads as u32],
        );
        output
    }
}
