//! Attention of a prompt's chunk over a cache's rows as stored, and every slot's score by it:
//! `shaders/attention/prompt_attention.wgsl` and `shaders/attention/prompt_scores.wgsl`.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Dispatch, backend_extension};
use burn::cubecl::prelude::KernelId;
use burn::tensor::{DType, Int, Shape, Tensor};
use burn_wgpu::{CubeBackend, CubeTensor, KernelSource, SourceTemplate, into_contiguous};
use minijinja::context;

use super::attention_probabilities::{attention_scale, window_word};
use super::cpu::{self, Kernels, QuadRows, Work};
use super::error::{KernelError, expect_f32, expect_wgpu};
use super::launch::{empty, grid, launch};
use super::rows::{RowFormat, StoredRows};
use super::template::write_out;
use crate::shaders::shader;

const NAME: &str = "prompt_attention";

/// Head size above which a lane has fewer rows and slots. SwiftShader would take 10 s to compile
/// the shaders for heads of 256.
const LARGE: usize = 128;

/// One launch of the shaders, for a chunk of a prompt.
#[derive(Debug, Clone, Copy)]
pub struct PromptLaunch {
    /// Slots in use, the first ones.
    slots: usize,
    /// The position of the first query.
    pub first: usize,
    /// Newest positions that a query sees; `None` for all.
    window: Option<usize>,
    /// The storage type of keys and values.
    format: RowFormat,
}

/// The operations as burn's extension point takes them; call [`prompt_attention`] and
/// [`prompt_scores`] instead.
#[backend_extension(Cube)]
pub trait PromptAttentionExtension: burn::backend::Backend {
    /// Attention, and every row's largest logit with the sum of exponentials by it.
    fn attend_to_rows(
        queries: FloatTensor<Self>,
        keys: IntTensor<Self>,
        values: IntTensor<Self>,
        positions: IntTensor<Self>,
        prompt: PromptLaunch,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// Scores of the slots.
    fn score_rows(
        queries: FloatTensor<Self>,
        keys: IntTensor<Self>,
        positions: IntTensor<Self>,
        stats: FloatTensor<Self>,
        before: FloatTensor<Self>,
        prompt: PromptLaunch,
    ) -> FloatTensor<Self>;
}

/// `true` if the kernels take heads of `dim` elements.
pub fn prompt_attention_takes(dim: usize) -> bool {
    dim.is_multiple_of(8) && (8..=256).contains(&dim)
}

/// Causal attention of neighbouring queries over the first `slots` slots of a cache. Query i of a
/// head is at position `first` + i. It sees the slots in use that hold no later position, and one
/// of the `window` newest such. Nothing of the size queries × slots is stored.
///
/// # Shapes
///
/// - queries: `[query_heads, queries, dim]`, f32
/// - keys, values: `[kv_heads, capacity, dim]`
/// - positions: `[kv_heads, capacity]`, i32, below 0 where a slot is empty
/// - output: `[query_heads, queries, dim]`, f32, and what [`prompt_scores`] needs
///
/// # Errors
///
/// [`KernelError`] for shapes that don't fit, other number types, or tensors on a device that runs
/// no WGSL.
pub fn prompt_attention(
    queries: Tensor<3>,
    keys: StoredRows,
    values: StoredRows,
    positions: Tensor<2, Int>,
    (slots, first, window): (usize, usize, Option<usize>),
) -> Result<(Tensor<3>, Tensor<3>), KernelError> {
    let prompt = check(&queries, &keys, &positions, (slots, first, window))?;
    if values.dims() != keys.dims() || values.format != keys.format {
        return Err(KernelError::Shape {
            kernel: NAME,
            argument: "values",
            shape: values.dims().to_vec(),
            expected: format!("{:?}, stored as the keys are", keys.dims()),
        });
    }
    let (output, stats) = <Dispatch as PromptAttentionExtension>::attend_to_rows(
        queries.into_dispatch(),
        keys.words.into_dispatch(),
        values.words.into_dispatch(),
        positions.into_dispatch(),
        prompt,
    );
    Ok((Tensor::from_dispatch(output), Tensor::from_dispatch(stats)))
}

/// `before` plus the attention that every slot gets from the queries of [`prompt_attention`], of a
/// layer without a window. It is averaged over the query group and summed over the queries.
///
/// # Shapes
///
/// - queries, keys, positions: those of [`prompt_attention`], which returned `stats`
/// - before, output: `[kv_heads, capacity]`, f32
///
/// # Errors
///
/// As [`prompt_attention`].
pub fn prompt_scores(
    queries: Tensor<3>,
    keys: StoredRows,
    positions: Tensor<2, Int>,
    stats: Tensor<3>,
    before: Tensor<2>,
    (slots, first): (usize, usize),
) -> Result<Tensor<2>, KernelError> {
    let prompt = check(&queries, &keys, &positions, (slots, first, None))?;
    let scores = <Dispatch as PromptAttentionExtension>::score_rows(
        queries.into_dispatch(),
        keys.words.into_dispatch(),
        positions.into_dispatch(),
        stats.into_dispatch(),
        before.into_dispatch(),
        prompt,
    );
    Ok(Tensor::from_dispatch(scores))
}

fn check(
    queries: &Tensor<3>,
    keys: &StoredRows,
    positions: &Tensor<2, Int>,
    (slots, first, window): (usize, usize, Option<usize>),
) -> Result<PromptLaunch, KernelError> {
    let [query_heads, count, dim] = queries.dims();
    let [heads, capacity, key_dim] = keys.dims();
    let fits = key_dim == dim && prompt_attention_takes(dim) && heads > 0;
    if !fits || !query_heads.is_multiple_of(heads) || !(1..=capacity).contains(&slots) || count == 0
    {
        return Err(KernelError::Shape {
            kernel: NAME,
            argument: "keys",
            shape: vec![heads, capacity, key_dim],
            expected: format!("[a divisor of {query_heads}, at least {slots}, {dim}]"),
        });
    }
    if positions.dims() != [heads, capacity] {
        return Err(KernelError::Shape {
            kernel: NAME,
            argument: "positions",
            shape: positions.dims().to_vec(),
            expected: format!("[{heads}, {capacity}]"),
        });
    }
    expect_f32(NAME, "queries", queries)?;
    expect_wgpu(NAME, &queries.device())?;
    Ok(PromptLaunch {
        slots,
        first,
        window,
        format: keys.format,
    })
}

/// One of the two shaders, written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct PromptKernel {
    scores: bool,
    dim: usize,
    format: RowFormat,
    on_cpu: bool,
}

impl PromptKernel {
    /// Rows and slots per lane, and lanes per workgroup. On a CPU one load has to serve many
    /// products; on a GPU a lane has few registers.
    fn cut(self) -> [usize; 3] {
        let is_large = self.dim > LARGE;
        match (self.on_cpu, self.scores) {
            (true, false) => [if is_large { 1 } else { 3 }, 4, 4],
            (true, true) => [0, if is_large { 2 } else { 4 }, 4],
            (false, false) => [1, 4, 64],
            (false, true) => [0, 1, 64],
        }
    }
}

impl KernelSource for PromptKernel {
    fn source(&self) -> SourceTemplate {
        let [rows, slots, threads] = self.cut();
        let text = if self.scores {
            shader!("attention/prompt_scores.wgsl")
        } else {
            shader!("attention/prompt_attention.wgsl")
        };
        SourceTemplate::new(write_out(
            &[self.format.wgsl, text],
            &context! {
                rows, slots, threads,
                dim => self.dim,
                scale => format!("{:e}", attention_scale(self.dim)),
            },
        ))
    }

    fn id(&self) -> KernelId {
        KernelId::new::<Self>().info(*self)
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

impl PromptAttentionExtension for CubeBackend {
    fn attend_to_rows(
        queries: FloatTensor<Self>,
        keys: IntTensor<Self>,
        values: IntTensor<Self>,
        positions: IntTensor<Self>,
        prompt: PromptLaunch,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let queries = into_contiguous(queries);
        let (keys, values) = (into_contiguous(keys), into_contiguous(values));
        let positions = into_contiguous(positions);
        let kernels = kernels_for(&queries, &positions);
        if kernels == Kernels::Quads {
            return quad_rows(&queries, &keys, &positions, prompt).attention(&values);
        }
        let shape = queries.meta.shape().clone();
        let output = empty(&queries, shape.clone(), DType::F32);
        let stats = empty(&queries, Shape::new([shape[0], shape[1], 2]), DType::F32);
        let kernel = kernel(false, &queries, prompt, kernels);
        let [rows, _, threads] = kernel.cut();
        let (words, count) = uniform(&queries, &keys, prompt, rows * threads, false);
        launch(
            kernel,
            count,
            &[&queries, &keys, &values, &positions, &output, &stats],
            &words,
        );
        (output, stats)
    }

    fn score_rows(
        queries: FloatTensor<Self>,
        keys: IntTensor<Self>,
        positions: IntTensor<Self>,
        stats: FloatTensor<Self>,
        before: FloatTensor<Self>,
        prompt: PromptLaunch,
    ) -> FloatTensor<Self> {
        let queries = into_contiguous(queries);
        let (keys, positions) = (into_contiguous(keys), into_contiguous(positions));
        let (stats, before) = (into_contiguous(stats), into_contiguous(before));
        let kernels = kernels_for(&queries, &positions);
        if kernels == Kernels::Quads {
            return quad_rows(&queries, &keys, &positions, prompt).scores(&stats, before);
        }
        let scores = empty(&before, before.meta.shape().clone(), DType::F32);
        let kernel = kernel(true, &queries, prompt, kernels);
        let [_, slots, threads] = kernel.cut();
        let (words, count) = uniform(&queries, &keys, prompt, slots * threads, true);
        launch(
            kernel,
            count,
            &[&queries, &keys, &positions, &stats, &before, &scores],
            &words,
        );
        scores
    }
}

fn quad_rows<'a>(
    queries: &'a CubeTensor,
    keys: &'a CubeTensor,
    positions: &'a CubeTensor,
    prompt: PromptLaunch,
) -> QuadRows<'a> {
    QuadRows {
        queries,
        keys,
        positions,
        slots: prompt.slots,
        first: prompt.first,
        window: prompt.window,
        format: prompt.format,
    }
}

fn kernels_for(queries: &CubeTensor, positions: &CubeTensor) -> Kernels {
    let (shape, heads) = (queries.meta.shape(), positions.meta.shape()[0]);
    let (rows, dim) = (shape[0] / heads * shape[1], shape[2]);
    cpu::kernels_for(queries, Work::Attention { rows, dim })
}

fn kernel(
    scores: bool,
    queries: &CubeTensor,
    prompt: PromptLaunch,
    kernels: Kernels,
) -> PromptKernel {
    PromptKernel {
        scores,
        dim: queries.meta.shape()[2],
        format: prompt.format,
        on_cpu: kernels == Kernels::Cpu,
    }
}

/// The shaders' uniform, and their workgroups: one per `tile` rows of a KV head, or `by_slot` per
/// `tile` slots.
fn uniform(
    queries: &CubeTensor,
    keys: &CubeTensor,
    prompt: PromptLaunch,
    tile: usize,
    by_slot: bool,
) -> (Vec<u32>, burn::cubecl::prelude::CubeCount) {
    let (shape, held) = (queries.meta.shape(), keys.meta.shape());
    let (heads, capacity) = (held[0], held[1]);
    let rows = shape[0] / heads * shape[1];
    let tiles = if by_slot { capacity } else { rows }.div_ceil(tile);
    let (count, line) = grid((heads * tiles) as u32);
    let numbers = [rows, shape[1], prompt.slots, capacity, prompt.first, tiles];
    let mut words: Vec<u32> = numbers.iter().map(|&number| number as u32).collect();
    words.extend([line, heads as u32, window_word(prompt.window) as u32]);
    (words, count)
}
