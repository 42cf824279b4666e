//! Attention probabilities over a cache's slots, `shaders/attention/attention_probabilities.wgsl`.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Dispatch, backend_extension};
use burn::tensor::{DType, Int, Shape, Tensor};
use burn_wgpu::{CubeBackend, into_contiguous};

use super::error::{KernelError, expect_f32, expect_wgpu};
use super::launch::{empty, grid, launch, wgsl_kernel};

const NAME: &str = "attention_probabilities";

/// The most elements of a head.
const MOST_DIM: usize = 256;

/// Rows of a workgroup.
pub(super) const ROWS: usize = 4;

/// The operation as burn's extension point takes it; call [`attention_probabilities`] instead.
#[backend_extension(Cube)]
pub trait AttentionProbabilitiesExtension: burn::backend::Backend {
    /// `queries` `[query_heads, queries, dim]`, `keys` `[kv_heads, slots, dim]`, `positions`
    /// `[kv_heads, slots]` give `[kv_heads, group, queries, slots]`.
    fn attention_probabilities(
        queries: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        positions: IntTensor<Self>,
        first: i32,
        window: i32,
    ) -> FloatTensor<Self>;
}

/// True if the attention kernels take heads of `dim` elements.
pub fn attention_takes(dim: usize) -> bool {
    dim.is_multiple_of(4) && (4..=MOST_DIM).contains(&dim)
}

/// Factor of query · key that the kernels apply to heads of `dim` elements. It is 1/√dim (Vaswani
/// et al., arXiv 1706.03762, section 3.2.1).
pub(crate) fn attention_scale(dim: usize) -> f32 {
    1.0 / (dim as f32).sqrt()
}

/// A window as shaders take it: more than any position if there is none.
pub(super) fn window_word(window: Option<usize>) -> i32 {
    window.map_or(i32::MAX, |window| i32::try_from(window).unwrap_or(i32::MAX))
}

/// Softmax of `queries · keysᵀ / √dim` over the slots that a query sees. They are in use and hold
/// no later position than its own, and one of the `window` newest such. Query i of each head is at
/// position `first` + i.
///
/// # Shapes
///
/// - queries: `[query_heads, queries, dim]`, f32
/// - keys: `[kv_heads, slots, dim]`, f32
/// - positions: `[kv_heads, slots]`, i32, below 0 where a slot is empty
/// - output: `[kv_heads, group, queries, slots]`, f32
///
/// # Errors
///
/// [`KernelError`] for shapes that don't fit, other number types, or tensors on a device that runs
/// no WGSL.
pub fn attention_probabilities(
    queries: Tensor<3>,
    keys: Tensor<3>,
    positions: Tensor<2, Int>,
    first: i32,
    window: Option<usize>,
) -> Result<Tensor<4>, KernelError> {
    let [query_heads, count, dim] = queries.dims();
    let [heads, slots, key_dim] = keys.dims();
    let fits = key_dim == dim && attention_takes(dim) && heads > 0 && slots > 0;
    if !fits || !query_heads.is_multiple_of(heads) {
        return Err(KernelError::Shape {
            kernel: NAME,
            argument: "keys",
            shape: vec![heads, slots, key_dim],
            expected: format!("[a divisor of {query_heads}, at least 1, {dim}]"),
        });
    }
    if positions.dims() != [heads, slots] {
        return Err(KernelError::Shape {
            kernel: NAME,
            argument: "positions",
            shape: positions.dims().to_vec(),
            expected: format!("[{heads}, {slots}]"),
        });
    }
    expect_f32(NAME, "queries", &queries)?;
    expect_f32(NAME, "keys", &keys)?;
    if positions.dtype() != DType::I32 {
        return Err(KernelError::Type {
            kernel: NAME,
            argument: "positions",
            dtype: positions.dtype().name().to_owned(),
            expected: "i32",
        });
    }
    expect_wgpu(NAME, &queries.device())?;
    let group = query_heads / heads;
    if group * count == 0 {
        let shape = [heads, group, count, slots];
        return Ok(Tensor::zeros(shape, &queries.device()));
    }
    Ok(Tensor::from_dispatch(
        <Dispatch as AttentionProbabilitiesExtension>::attention_probabilities(
            queries.into_dispatch(),
            keys.into_dispatch(),
            positions.into_dispatch(),
            first,
            window_word(window),
        ),
    ))
}

wgsl_kernel!(
    AttentionProbabilities,
    "attention/attention_probabilities.wgsl"
);

impl AttentionProbabilitiesExtension for CubeBackend {
    fn attention_probabilities(
        queries: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        positions: IntTensor<Self>,
        first: i32,
        window: i32,
    ) -> FloatTensor<Self> {
        let queries = into_contiguous(queries);
        let keys = into_contiguous(keys);
        let positions = into_contiguous(positions);
        let (shape, held) = (queries.meta.shape(), keys.meta.shape());
        let (query_heads, count, dim) = (shape[0], shape[1], shape[2]);
        let (heads, slots) = (held[0], held[1]);
        let group = query_heads / heads;
        let rows = group * count;
        let output = Shape::new([heads, group, count, slots]);
        let output = empty(&queries, output, DType::F32);
        let tiles = rows.div_ceil(ROWS);
        let (workgroups, line) = grid((heads * tiles) as u32);
        let scale = attention_scale(dim);
        let [rows, count, slots, parts] = [rows, count, slots, dim / 4].map(|size| size as u32);
        launch(
            AttentionProbabilities,
            workgroups,
            &[&queries, &keys, &positions, &output],
            &[
                rows,
                count,
                slots,
                parts,
                first as u32,
                window as u32,
                scale.to_bits(),
                tiles as u32,
                line,
                heads as u32,
            ],
        );
        output
    }
}
