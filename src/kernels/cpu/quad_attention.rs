//! Attention of a prompt's chunk on adapters that compute on a CPU and swap values within quads.
//! Logits come first, in blocks of rows that bound their memory, then the weighted values, then
//! every slot's score. The shaders are `quad_logits.wgsl`, `quad_attention.wgsl`,
//! `quad_combine.wgsl` and `quad_scores.wgsl` of `shaders/cpu`.

use burn::cubecl::prelude::{CubeCount, KernelId};
use burn::tensor::{DType, Shape};
use burn_wgpu::{CubeTensor, KernelSource, SourceTemplate};
use minijinja::context;

use crate::kernels::launch::{empty, grid, launch};
use crate::kernels::rows::RowFormat;
use crate::kernels::template::{ENABLE_SUBGROUPS, quad_sums, write_out};
use crate::kernels::{attention_scale, window_word};
use crate::shaders::shader;

/// Slots per lane. More would unroll past the CPU's instruction cache.
const SLOTS: usize = 16;

/// Lanes per workgroup, a quad.
const LANES: usize = 4;

/// Slots per workgroup.
const TILE: usize = SLOTS * LANES;

/// Elements of a head's values per lane: the first of these by which a quad's lanes divide the
/// head.
const ELEMENTS: [usize; 2] = [16, 8];

/// Splits of the tiles of slots, for the CPU's threads.
const SPLITS: usize = 2;

/// Threads per workgroup that combines the splits.
const THREADS: usize = 64;

/// Fewest rows per KV head for which loading keys into registers pays.
const FEWEST_ROWS: usize = 48;

/// Logits in memory at once, 32 MiB, unless those of [`FEWEST_ROWS`] rows are more.
const MOST_LOGITS: usize = 1 << 23;

/// True if these kernels take `rows` rows per KV head of `dim` elements.
pub(super) fn takes(rows: usize, dim: usize) -> bool {
    rows >= FEWEST_ROWS && elements(dim).is_some()
}

fn elements(dim: usize) -> Option<usize> {
    ELEMENTS
        .into_iter()
        .find(|&elements| dim > 0 && dim.is_multiple_of(elements * LANES))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Logits,
    Attention,
    Combine,
    Scores,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct QuadKernel {
    step: Step,
    dim: usize,
    format: RowFormat,
}

impl KernelSource for QuadKernel {
    fn source(&self) -> SourceTemplate {
        let elements = elements(self.dim).unwrap_or_default();
        let (step, sums) = match self.step {
            Step::Logits => (shader!("cpu/quad_logits.wgsl"), quad_sums(SLOTS, self.dim)),
            Step::Attention => (
                shader!("cpu/quad_attention.wgsl"),
                quad_sums(elements, TILE),
            ),
            Step::Combine => (shader!("cpu/quad_combine.wgsl"), String::new()),
            Step::Scores => (shader!("cpu/quad_scores.wgsl"), String::new()),
        };
        let places = match self.step {
            Step::Combine => "",
            _ => shader!("cpu/quad_places.wgsl"),
        };
        let shape = shader!("cpu/quad_shape.wgsl");
        SourceTemplate::new(write_out(
            &[ENABLE_SUBGROUPS, self.format.wgsl, shape, places, step],
            &context! {
                sums,
                elements,
                dim => self.dim,
                slots => SLOTS,
                tile => TILE,
                splits => SPLITS,
                threads => THREADS,
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

/// The rows of a prompt's chunk, one per query and query head; all tensors are contiguous. See
/// [`prompt_attention`](crate::kernels::prompt_attention::prompt_attention).
pub(in crate::kernels) struct QuadRows<'a> {
    /// `[query_heads, queries, dim]`
    pub queries: &'a CubeTensor,
    /// `[kv_heads, capacity, words per row]`
    pub keys: &'a CubeTensor,
    /// `[kv_heads, capacity]`
    pub positions: &'a CubeTensor,
    /// Slots in use.
    pub slots: usize,
    /// The position of the first query.
    pub first: usize,
    /// Newest positions that a query sees; `None` for all.
    pub window: Option<usize>,
    /// The storage type of keys and values.
    pub format: RowFormat,
}

impl QuadRows<'_> {
    /// Attention, `[query_heads, queries, dim]`, and every row's largest logit with the sum of
    /// exponentials by it, `[query_heads, queries, 2]`.
    pub fn attention(&self, values: &CubeTensor) -> (CubeTensor, CubeTensor) {
        let shape = self.queries.meta.shape().clone();
        let [query_heads, queries, dim] = [0, 1, 2].map(|axis| shape[axis]);
        let parts = elements(dim).map_or(1, |elements| dim / (elements * LANES));
        let output = empty(self.queries, shape, DType::F32);
        let stats = Shape::new([query_heads, queries, 2]);
        let stats = empty(self.queries, stats, DType::F32);
        let lines = self.heads() * self.most_rows();
        let partial = self.memory(SPLITS * lines * dim);
        let partial_stats = self.memory(parts * SPLITS * lines * 2);
        self.by_block(|block, logits, largest| {
            let split = [
                values,
                self.positions,
                logits,
                largest,
                &partial,
                &partial_stats,
            ];
            let groups = self.heads() * parts * SPLITS;
            self.launch(Step::Attention, groups, &split, block);
            let groups = (self.heads() * block[1] * dim / 4).div_ceil(THREADS);
            let whole = [&partial, &partial_stats, &output, &stats];
            self.launch(Step::Combine, groups, &whole, block);
        });
        (output, stats)
    }

    /// `before`, `[kv_heads, capacity]`, plus every slot's attention, averaged over the query group
    /// and summed over the queries.
    pub fn scores(&self, stats: &CubeTensor, before: CubeTensor) -> CubeTensor {
        let mut scores = before;
        let tiles = self.positions.meta.shape()[1].div_ceil(TILE);
        let groups = self.heads() * tiles;
        self.by_block(|block, logits, _| {
            let sum = empty(&scores, scores.meta.shape().clone(), DType::F32);
            self.launch(
                Step::Scores,
                groups,
                &[logits, self.positions, stats, &scores, &sum],
                block,
            );
            scores = sum;
        });
        scores
    }

    /// Calls `take` after the logits of each block of rows, with its first row and its rows per KV
    /// head.
    fn by_block(&self, mut take: impl FnMut([usize; 2], &CubeTensor, &CubeTensor)) {
        let (heads, rows, most) = (self.heads(), self.rows(), self.most_rows());
        let logits = self.memory(heads * most * self.tiles() * TILE);
        let largest = self.memory(heads * most * self.tiles());
        for start in (0..rows).step_by(most) {
            let block = [start, most.min(rows - start)];
            let tensors = [self.queries, self.keys, self.positions, &logits, &largest];
            self.launch(Step::Logits, heads * self.tiles(), &tensors, block);
            take(block, &logits, &largest);
        }
    }

    fn launch(&self, step: Step, groups: usize, tensors: &[&CubeTensor], block: [usize; 2]) {
        let shape = self.queries.meta.shape();
        let heads = self.heads();
        let (count, line): (CubeCount, u32) = grid(groups as u32);
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
            window_word(self.window) as usize,
        ];
        let kernel = QuadKernel {
            step,
            dim: shape[2],
            format: self.format,
        };
        launch(kernel, count, tensors, &numbers.map(|number| number as u32));
    }

    fn heads(&self) -> usize {
        self.positions.meta.shape()[0]
    }

    /// Rows per KV head.
    fn rows(&self) -> usize {
        let shape = self.queries.meta.shape();
        shape[0] / self.heads() * shape[1]
    }

    /// Rows per KV head and block.
    fn most_rows(&self) -> usize {
        let line = self.heads() * self.tiles() * TILE;
        (MOST_LOGITS / line).max(FEWEST_ROWS).min(self.rows())
    }

    /// Memory for at least `count` numbers, in few sizes. The chunks of a prompt, each with more
    /// slots than the last, then reuse each other's buffers.
    fn memory(&self, count: usize) -> CubeTensor {
        let shape = Shape::new([count.next_power_of_two()]);
        empty(self.queries, shape, DType::F32)
    }

    /// Tiles of slots.
    fn tiles(&self) -> usize {
        self.slots.div_ceil(TILE)
    }
}
