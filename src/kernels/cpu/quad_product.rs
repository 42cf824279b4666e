//! Product of f32 matrices whose lanes exchange values within quads,
//! `shaders/cpu/quad_product.wgsl`.

use burn::cubecl::prelude::KernelId;
use burn_wgpu::{CubeTensor, KernelSource, SourceTemplate};
use minijinja::context;

use crate::kernels::launch::{grid, launch};
use crate::kernels::template::{ENABLE_SUBGROUPS, quad_sums, write_out};
use crate::shaders::shader;

/// Rows per lane: the first that leave [`FEWEST_GROUPS`] workgroups, or the last that divide the
/// matrix. More would unroll past the CPU's instruction cache.
const ROWS: [u32; 2] = [16, 8];

/// Fewest workgroups: of fewer, the last would leave the CPU's other threads idle for too long.
const FEWEST_GROUPS: u32 = 8;

/// Lanes per workgroup, a quad.
const LANES: u32 = 4;

/// Elements of a row that a lane keeps in registers: the first that divides the width.
const INNER: [u32; 3] = [96, 64, 32];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct QuadProduct {
    rows: u32,
    inner: u32,
}

impl KernelSource for QuadProduct {
    fn source(&self) -> SourceTemplate {
        let text = shader!("cpu/quad_product.wgsl");
        SourceTemplate::new(write_out(
            &[ENABLE_SUBGROUPS, text],
            &context! {
                rows => self.rows,
                inner => self.inner,
                sums => quad_sums(self.rows as usize, self.inner as usize),
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

impl QuadProduct {
    fn of(height: u32, width: u32) -> Option<Self> {
        let mut rows = ROWS
            .into_iter()
            .filter(|&rows| height > 0 && height.is_multiple_of(rows));
        let spreads = |&rows: &u32| height.div_ceil(rows * LANES) >= FEWEST_GROUPS;
        Some(Self {
            rows: rows.clone().find(spreads).or_else(|| rows.next_back())?,
            inner: INNER
                .into_iter()
                .find(|&inner| width > 0 && width.is_multiple_of(inner))?,
        })
    }
}

/// True if [`quad_product`] takes a matrix `[height, width]`.
pub(super) fn takes(height: usize, width: usize) -> bool {
    QuadProduct::of(height as u32, width as u32).is_some()
}

/// `output` = `input · weightsᵀ`.
///
/// # Shapes
///
/// - input: `[tokens, width]`; weights: `[rows, width]`; output: `[tokens, rows]`, all f32 and
///   contiguous
pub(in crate::kernels) fn quad_product(
    weights: &CubeTensor,
    input: &CubeTensor,
    output: &CubeTensor,
) {
    let [height, width] = [0, 1].map(|dim| weights.meta.shape()[dim] as u32);
    let tokens = input.meta.shape()[0] as u32;
    let Some(kernel) = QuadProduct::of(height, width) else {
        return;
    };
    let (count, line) = grid(height.div_ceil(kernel.rows * LANES));
    launch(
        kernel,
        count,
        &[weights, input, output],
        &[height, width, tokens, line],
    );
}
