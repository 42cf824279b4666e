//! Attention of a piece of a prompt on adapters that run on a CPU and swap values within quads: its logits first, for as many
//! rows at a time as some memory holds, then what they make of the values, and what each slot gets.
//! `shaders/quad_logits.wgsl`, `shaders/quad_attention.wgsl`, `shaders/quad_scores.wgsl`.

use burn::cubecl::prelude::{CubeCount, KernelId};
use burn::tensor::{DType, Shape};
use burn_wgpu::{CubeTensor, KernelSource, SourceTemplate};
use minijinja::context;

use super::launch::{empty, grid, launch};
use super::template::{ENABLE_SUBGROUPS, quad_sums, write_out};

/// Slots, or elements of a head, of a lane.
const HELD: usize = 8;

/// Lanes of a workgroup, a quad.
const LANES: usize = 4;

/// Slots, or elements of a head, of a workgroup.
const TILE: usize = HELD * LANES;

/// Slots whose values a lane keeps at hand, and that are passed over together.
const CHUNK: usize = 2 * TILE;

/// From so many rows a KV head on there is the time to fetch what is kept at hand.
const FEWEST_ROWS: usize = 48;

/// Logits that are kept at a time, 16 MiB, unless those of [`FEWEST_ROWS`] rows are more.
const MOST_LOGITS: usize = 1 << 22;

/// Whether these kernels take `rows` rows a KV head of `dim` elements.
pub(super) fn quad_attention_takes(rows: usize, dim: usize) -> bool {
    rows >= FEWEST_ROWS && dim > 0 && dim.is_multiple_of(TILE)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Logits,
    Attention,
    Scores,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct QuadKernel {
    step: Step,
    dim: usize,
    halves: bool,
}

impl KernelSource for QuadKernel {
    fn source(&self) -> SourceTemplate {
        let (step, elements) = match self.step {
            Step::Logits => (include_str!("../../shaders/quad_logits.wgsl"), self.dim),
            Step::Attention => (include_str!("../../shaders/quad_attention.wgsl"), CHUNK),
            Step::Scores => (include_str!("../../shaders/quad_scores.wgsl"), 0),
        };
        SourceTemplate::new(write_out(
            &[
                ENABLE_SUBGROUPS,
                include_str!("../../shaders/quad_shape.wgsl"),
                step,
            ],
            &context! {
                dim => self.dim,
                packed => self.halves,
                slots => HELD,
                rows => HELD,
                sums => quad_sums(HELD, elements),
                tile => TILE,
                chunk => CHUNK,
                scale => format!("{:e}", 1.0 / (self.dim as f32).sqrt()),
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

/// The rows of a prompt's piece, all tensors contiguous: see
/// [`prompt_attention`](super::prompt_attention::prompt_attention).
pub(super) struct Rows<'a> {
    /// `[query_heads, queries, dim]`.
    pub queries: &'a CubeTensor,
    /// `[kv_heads, capacity, dim]`, or two elements in a word.
    pub keys: &'a CubeTensor,
    /// `[kv_heads, capacity]`.
    pub positions: &'a CubeTensor,
    /// Slots in use.
    pub slots: usize,
    /// The position of the first query.
    pub first: usize,
    /// Whether keys and values are f16.
    pub halves: bool,
}

impl Rows<'_> {
    /// Attention, `[query_heads, queries, dim]`, and what [`scores`](Self::scores) needs of it.
    pub fn attention(&self, values: &CubeTensor) -> (CubeTensor, CubeTensor) {
        let shape = self.queries.meta.shape().clone();
        let parts = shape[2] / TILE;
        let output = empty(self.queries, shape.clone(), DType::F32);
        let stats = Shape::new([parts * shape[0], shape[1], 2]);
        let stats = empty(self.queries, stats, DType::F32);
        self.by_block(|block, logits, largest| {
            self.launch(
                Step::Attention,
                parts,
                &[values, self.positions, logits, largest, &output, &stats],
                block,
            );
        });
        (output, stats)
    }

    /// The scores `before`, `[kv_heads, capacity]`, and what each slot gets, averaged over the query group and summed over
    /// the queries.
    pub fn scores(&self, stats: &CubeTensor, before: CubeTensor) -> CubeTensor {
        let mut scores = before;
        let tiles = self.positions.meta.shape()[1].div_ceil(TILE);
        self.by_block(|block, logits, _| {
            let sum = empty(&scores, scores.meta.shape().clone(), DType::F32);
            self.launch(
                Step::Scores,
                tiles,
                &[logits, self.positions, stats, &scores, &sum],
                block,
            );
            scores = sum;
        });
        scores
    }

    /// Calls `take` after the logits of each block of rows, with its first row and how many it has of each KV head.
    fn by_block(&self, mut take: impl FnMut([usize; 2], &CubeTensor, &CubeTensor)) {
        let (heads, rows, line) = (self.heads(), self.rows(), self.tiles() * TILE);
        let most = (MOST_LOGITS / (heads * line)).max(FEWEST_ROWS).min(rows);
        let memory = |count: usize| empty(self.queries, Shape::new([count]), DType::F32);
        let logits = memory(heads * most * line);
        let largest = memory(heads * most * self.tiles());
        for start in (0..rows).step_by(most) {
            let block = [start, most.min(rows - start)];
            let tensors = [self.queries, self.keys, self.positions, &logits, &largest];
            self.launch(Step::Logits, self.tiles(), &tensors, block);
            take(block, &logits, &largest);
        }
    }

    fn launch(&self, step: Step, groups: usize, tensors: &[&CubeTensor], block: [usize; 2]) {
        let shape = self.queries.meta.shape();
        let heads = self.heads();
        let (count, line): (CubeCount, u32) = grid((heads * groups) as u32);
        let [start, rows] = block;
        let numbers = [
            self.rows(),
            shape[1],
            self.slots,
            self.positions.meta.shape()[1],
            self.first,
            start,
            rows,
            self.tiles(),
            line as usize,
            heads,
        ];
        let kernel = QuadKernel {
            step,
            dim: shape[2],
            halves: self.halves,
        };
        launch(kernel, count, tensors, &numbers.map(|number| number as u32));
    }

    fn heads(&self) -> usize {
        self.positions.meta.shape()[0]
    }

    /// Rows of a KV head.
    fn rows(&self) -> usize {
        let shape = self.queries.meta.shape();
        shape[0] / self.heads() * shape[1]
    }

    /// Tiles of slots, in whole chunks.
    fn tiles(&self) -> usize {
        self.slots.div_ceil(CHUNK) * (CHUNK / TILE)
    }
}
