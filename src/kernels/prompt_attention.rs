//! Attention of a piece of a prompt over a cache as it lies in memory, and what each slot gets of it:
//! `shaders/attention/prompt_attention.wgsl` and `shaders/attention/prompt_scores.wgsl`.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Dispatch, backend_extension};
use burn::cubecl::prelude::KernelId;
use burn::tensor::{DType, Int, Shape, Tensor};
use burn_wgpu::{CubeBackend, CubeTensor, KernelSource, SourceTemplate, into_contiguous};
use minijinja::context;

use super::attention_probabilities::attention_scale;
use super::cpu::{self, Kernels, Rows, Work};
use super::error::{KernelError, expect_f32, expect_wgpu};
use super::launch::{empty, grid, launch};
use super::template::write_out;

const NAME: &str = "prompt_attention";

/// A cache's rows, `[kv_heads, capacity, dim]`, however they are stored.
#[derive(Debug, Clone)]
pub enum CacheRows {
    /// In f32 or f16.
    Plain(Tensor<3>),
    /// f16, two in a u32: `[kv_heads, capacity, dim / 2]`.
    Packed(Tensor<3, Int>),
}

impl CacheRows {
    fn dims(&self) -> [usize; 3] {
        match self {
            Self::Plain(rows) => rows.dims(),
            Self::Packed(rows) => {
                let [heads, capacity, words] = rows.dims();
                [heads, capacity, 2 * words]
            }
        }
    }

    /// Whether elements are f16.
    fn halves(&self) -> bool {
        match self {
            Self::Plain(rows) => rows.dtype() == DType::F16,
            Self::Packed(_) => true,
        }
    }
}

/// What the shaders are told.
#[derive(Debug, Clone, Copy)]
pub struct Piece {
    /// Slots in use, the first ones.
    pub slots: usize,
    /// The position of the first query.
    pub first: usize,
    halves: bool,
}

/// The operations as burn's extension point takes them; call [`prompt_attention`] and [`prompt_scores`] instead.
#[backend_extension(Cube)]
pub trait PromptAttentionExtension: burn::backend::Backend {
    /// Attention over plain rows; the rows' largest logits and sums come with it.
    fn attend_plain(
        queries: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        values: FloatTensor<Self>,
        positions: IntTensor<Self>,
        piece: Piece,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// The same over packed rows.
    fn attend_packed(
        queries: FloatTensor<Self>,
        keys: IntTensor<Self>,
        values: IntTensor<Self>,
        positions: IntTensor<Self>,
        piece: Piece,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// Scores over plain rows.
    fn score_plain(
        queries: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        positions: IntTensor<Self>,
        stats: FloatTensor<Self>,
        before: FloatTensor<Self>,
        piece: Piece,
    ) -> FloatTensor<Self>;
    /// Scores over packed rows.
    fn score_packed(
        queries: FloatTensor<Self>,
        keys: IntTensor<Self>,
        positions: IntTensor<Self>,
        stats: FloatTensor<Self>,
        before: FloatTensor<Self>,
        piece: Piece,
    ) -> FloatTensor<Self>;
}

/// Whether the kernels take heads of `dim` elements.
pub fn prompt_attention_takes(dim: usize) -> bool {
    dim.is_multiple_of(8) && (8..=128).contains(&dim)
}

/// What queries at neighbouring positions from `first` on attend to among the first `slots` slots: those in use that hold no
/// later position than the query's own. Nothing of the size queries × slots is stored.
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
/// [`KernelError`] for shapes that don't fit, other number types, or tensors on a device that runs no WGSL.
pub fn prompt_attention(
    queries: Tensor<3>,
    keys: CacheRows,
    values: CacheRows,
    positions: Tensor<2, Int>,
    slots: usize,
    first: usize,
) -> Result<(Tensor<3>, Tensor<3>), KernelError> {
    let piece = check(&queries, &keys, &positions, slots, first)?;
    let positions = positions.into_dispatch();
    let queries = queries.into_dispatch();
    let (output, stats) = match (keys, values) {
        (CacheRows::Plain(keys), CacheRows::Plain(values)) => {
            <Dispatch as PromptAttentionExtension>::attend_plain(
                queries,
                keys.into_dispatch(),
                values.into_dispatch(),
                positions,
                piece,
            )
        }
        (CacheRows::Packed(keys), CacheRows::Packed(values)) => {
            <Dispatch as PromptAttentionExtension>::attend_packed(
                queries,
                keys.into_dispatch(),
                values.into_dispatch(),
                positions,
                piece,
            )
        }
        (keys, _) => {
            return Err(KernelError::Shape {
                kernel: NAME,
                argument: "values",
                shape: keys.dims().to_vec(),
                expected: "stored as the keys are".to_owned(),
            });
        }
    };
    Ok((Tensor::from_dispatch(output), Tensor::from_dispatch(stats)))
}

/// The scores `before`, `[kv_heads, capacity]`, and for every slot what the same queries as in [`prompt_attention`], which
/// gave `stats`, attend to it with: averaged over the query group, summed over the queries.
///
/// # Errors
///
/// As [`prompt_attention`].
pub fn prompt_scores(
    queries: Tensor<3>,
    keys: CacheRows,
    positions: Tensor<2, Int>,
    stats: Tensor<3>,
    before: Tensor<2>,
    (slots, first): (usize, usize),
) -> Result<Tensor<2>, KernelError> {
    let piece = check(&queries, &keys, &positions, slots, first)?;
    let queries = queries.into_dispatch();
    let positions = positions.into_dispatch();
    let (stats, before) = (stats.into_dispatch(), before.into_dispatch());
    Ok(Tensor::from_dispatch(match keys {
        CacheRows::Plain(keys) => <Dispatch as PromptAttentionExtension>::score_plain(
            queries,
            keys.into_dispatch(),
            positions,
            stats,
            before,
            piece,
        ),
        CacheRows::Packed(keys) => <Dispatch as PromptAttentionExtension>::score_packed(
            queries,
            keys.into_dispatch(),
            positions,
            stats,
            before,
            piece,
        ),
    }))
}

fn check(
    queries: &Tensor<3>,
    keys: &CacheRows,
    positions: &Tensor<2, Int>,
    slots: usize,
    first: usize,
) -> Result<Piece, KernelError> {
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
    Ok(Piece {
        slots,
        first,
        halves: keys.halves(),
    })
}

/// One of the two shaders, written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct PromptKernel {
    scores: bool,
    dim: usize,
    halves: bool,
    on_cpu: bool,
}

impl PromptKernel {
    /// Rows and slots per lane, and lanes per workgroup. A CPU's loads have to serve many products
    /// each; a GPU's lanes have few registers.
    fn cut(self) -> [usize; 3] {
        match (self.on_cpu, self.scores) {
            (true, false) => [3, 4, 4],
            (true, true) => [0, 4, 4],
            (false, false) => [1, 4, 64],
            (false, true) => [0, 1, 64],
        }
    }
}

impl KernelSource for PromptKernel {
    fn source(&self) -> SourceTemplate {
        let [rows, slots, threads] = self.cut();
        let text = if self.scores {
            include_str!("../../shaders/attention/prompt_scores.wgsl")
        } else {
            include_str!("../../shaders/attention/prompt_attention.wgsl")
        };
        SourceTemplate::new(write_out(
            &[text],
            &context! {
                rows, slots, threads,
                dim => self.dim,
                packed => self.halves,
                oct => if self.halves { "vec4<u32>" } else { "vec4<f32>" },
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

fn attend(
    queries: CubeTensor,
    keys: CubeTensor,
    values: CubeTensor,
    positions: CubeTensor,
    piece: Piece,
) -> (CubeTensor, CubeTensor) {
    let queries = into_contiguous(queries);
    let (keys, values) = (into_contiguous(keys), into_contiguous(values));
    let positions = into_contiguous(positions);
    let kernels = kernels_for(&queries, &positions);
    if kernels == Kernels::Quads {
        return rows(&queries, &keys, &positions, piece).attention(&values);
    }
    let shape = queries.meta.shape().clone();
    let output = empty(&queries, shape.clone(), DType::F32);
    let stats = empty(&queries, Shape::new([shape[0], shape[1], 2]), DType::F32);
    let kernel = kernel(false, &queries, piece, kernels);
    let [rows, _, threads] = kernel.cut();
    let (words, count) = words(&queries, &keys, piece, rows * threads, false);
    launch(
        kernel,
        count,
        &[&queries, &keys, &values, &positions, &output, &stats],
        &words,
    );
    (output, stats)
}

fn rows<'a>(
    queries: &'a CubeTensor,
    keys: &'a CubeTensor,
    positions: &'a CubeTensor,
    piece: Piece,
) -> Rows<'a> {
    Rows {
        queries,
        keys,
        positions,
        slots: piece.slots,
        first: piece.first,
        halves: piece.halves,
    }
}

fn score(
    queries: CubeTensor,
    keys: CubeTensor,
    positions: CubeTensor,
    stats: CubeTensor,
    before: CubeTensor,
    piece: Piece,
) -> CubeTensor {
    let queries = into_contiguous(queries);
    let (keys, positions) = (into_contiguous(keys), into_contiguous(positions));
    let (stats, before) = (into_contiguous(stats), into_contiguous(before));
    let kernels = kernels_for(&queries, &positions);
    if kernels == Kernels::Quads {
        return rows(&queries, &keys, &positions, piece).scores(&stats, before);
    }
    let scores = empty(&before, before.meta.shape().clone(), DType::F32);
    let kernel = kernel(true, &queries, piece, kernels);
    let [_, slots, threads] = kernel.cut();
    let (words, count) = words(&queries, &keys, piece, slots * threads, true);
    launch(
        kernel,
        count,
        &[&queries, &keys, &positions, &stats, &before, &scores],
        &words,
    );
    scores
}

fn kernels_for(queries: &CubeTensor, positions: &CubeTensor) -> Kernels {
    let (shape, heads) = (queries.meta.shape(), positions.meta.shape()[0]);
    let (rows, dim) = (shape[0] / heads * shape[1], shape[2]);
    cpu::kernels_for(queries, Work::Attention { rows, dim })
}

fn kernel(scores: bool, queries: &CubeTensor, piece: Piece, kernels: Kernels) -> PromptKernel {
    PromptKernel {
        scores,
        dim: queries.meta.shape()[2],
        halves: piece.halves,
        on_cpu: kernels == Kernels::Cpu,
    }
}

/// The shaders' uniform, and the workgroups: one for `tile` rows, or `by_slot` for `tile` slots, of a KV head.
fn words(
    queries: &CubeTensor,
    keys: &CubeTensor,
    piece: Piece,
    tile: usize,
    by_slot: bool,
) -> (Vec<u32>, burn::cubecl::prelude::CubeCount) {
    let (shape, held) = (queries.meta.shape(), keys.meta.shape());
    let (heads, capacity) = (held[0], held[1]);
    let rows = shape[0] / heads * shape[1];
    let tiles = if by_slot { capacity } else { rows }.div_ceil(tile);
    let (count, line) = grid((heads * tiles) as u32);
    let numbers = [rows, shape[1], piece.slots, capacity, piece.first, tiles];
    let mut words: Vec<u32> = numbers.iter().map(|&number| number as u32).collect();
    words.extend([line, heads as u32]);
    (words, count)
}

impl PromptAttentionExtension for CubeBackend {
    fn attend_plain(
        queries: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        values: FloatTensor<Self>,
        positions: IntTensor<Self>,
        piece: Piece,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        attend(queries, keys, values, positions, piece)
    }

    fn attend_packed(
        queries: FloatTensor<Self>,
        keys: IntTensor<Self>,
        values: IntTensor<Self>,
        positions: IntTensor<Self>,
        piece: Piece,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        attend(queries, keys, values, positions, piece)
    }

    fn score_plain(
        queries: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        positions: IntTensor<Self>,
        stats: FloatTensor<Self>,
        before: FloatTensor<Self>,
        piece: Piece,
    ) -> FloatTensor<Self> {
        score(queries, keys, positions, stats, before, piece)
    }

    fn score_packed(
        queries: FloatTensor<Self>,
        keys: IntTensor<Self>,
        positions: IntTensor<Self>,
        stats: FloatTensor<Self>,
        before: FloatTensor<Self>,
        piece: Piece,
    ) -> FloatTensor<Self> {
        score(queries, keys, positions, stats, before, piece)
    }
}
