//! Product of f32 matrices in large tiles, `shaders/cpu/float_product.wgsl`.

use burn::cubecl::prelude::KernelId;
use burn_wgpu::{CubeTensor, KernelSource, SourceTemplate};
use minijinja::context;

use crate::kernels::launch::{grid, launch};
use crate::kernels::template::write_out;
use crate::shaders::shader;

/// Rows and tokens per lane. Larger tiles are somewhat faster, but take seconds to compile.
const TILE: [u32; 2] = [12, 12];

/// Lanes per workgroup, each with a tile of its own.
const LANES: u32 = 4;

struct FloatProduct;

impl KernelSource for FloatProduct {
    fn source(&self) -> SourceTemplate {
        let [rows, tokens] = TILE;
        let text = shader!("cpu/float_product.wgsl");
        SourceTemplate::new(write_out(&[text], &context! { rows, tokens }))
    }

    fn id(&self) -> KernelId {
        KernelId::new::<Self>()
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

/// `output` = `input · weightsᵀ`.
///
/// # Shapes
///
/// - input: `[tokens, width]`; weights: `[rows, width]`; output: `[tokens, rows]`, all f32 and
///   contiguous, the width a multiple of four
pub(in crate::kernels) fn float_product(
    weights: &CubeTensor,
    input: &CubeTensor,
    output: &CubeTensor,
) {
    let [rows, width] = [0, 1].map(|dim| weights.meta.shape()[dim] as u32);
    let tokens = input.meta.shape()[0] as u32;
    let token_tiles = tokens.div_ceil(TILE[1]);
    let (count, line) = grid(rows.div_ceil(TILE[0] * LANES) * token_tiles);
    launch(
        FloatProduct,
        count,
        &[weights, input, output],
        &[rows, width / 4, tokens, token_tiles, line],
    );
}
