//! A product of f32 matrices on adapters that run on a CPU and swap values within quads, `shaders/quad_product.wgsl`.

use burn::cubecl::prelude::KernelId;
use burn_wgpu::{CubeTensor, KernelSource, SourceTemplate};
use minijinja::context;

use super::launch::{grid, launch};
use super::template::{ENABLE_SUBGROUPS, quad_sums, write_out};

/// Rows of a lane. What a lane does for a token should just fit into a CPU's cache of instructions.
const ROWS: u32 = 8;

/// Lanes of a workgroup, a quad.
const LANES: u32 = 4;

/// Elements of a row that a lane keeps at hand: the first that divides the width.
const INNER: [u32; 2] = [64, 32];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct QuadProduct {
    inner: u32,
}

impl KernelSource for QuadProduct {
    fn source(&self) -> SourceTemplate {
        let text = include_str!("../../shaders/quad_product.wgsl");
        SourceTemplate::new(write_out(
            &[ENABLE_SUBGROUPS, text],
            &context! {
                rows => ROWS,
                inner => self.inner,
                sums => quad_sums(ROWS as usize, self.inner as usize),
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

fn inner(width: u32) -> Option<u32> {
    INNER
        .into_iter()
        .find(|&inner| width > 0 && width.is_multiple_of(inner))
}

/// Whether [`quad_product`] takes a matrix of `rows` rows of `width` elements.
pub(super) fn quad_product_takes(rows: usize, width: usize) -> bool {
    rows.is_multiple_of(ROWS as usize) && inner(width as u32).is_some()
}

/// `output` = `input · weightsᵀ`, of `[tokens, width]` and `[rows, width]`, all f32 and contiguous.
pub(super) fn quad_product(weights: &CubeTensor, input: &CubeTensor, output: &CubeTensor) {
    let [rows, width] = [0, 1].map(|dim| weights.meta.shape()[dim] as u32);
    let tokens = input.meta.shape()[0] as u32;
    let Some(inner) = inner(width) else {
        return;
    };
    let (count, line) = grid(rows.div_ceil(ROWS * LANES));
    launch(
        QuadProduct { inner },
        count,
        &[weights, input, output],
        &[rows, width, tokens, line],
    );
}
