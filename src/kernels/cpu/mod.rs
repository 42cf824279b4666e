//! Kernels for adapters that compute on a CPU. Few lanes have much work each, since loads are dear.
//! Quads exchange values where the driver compiles that quickly. [`kernels_for`] is the one place
//! that chooses them.

mod float_product;
mod quad_attention;
mod quad_product;

pub(super) use float_product::float_product;
pub(super) use quad_attention::QuadRows;
pub(super) use quad_product::quad_product;

use std::ops::RangeInclusive;

use burn_wgpu::CubeTensor;

use crate::device::Processor;

/// Fewest tokens for which a matrix is dequantised first and the product is one of floats. It is
/// three times as fast there, but its shader takes a second to compile.
const FLOAT_TOKENS: usize = 16;

/// Fewest tokens for which the quad product pays: below, loading weights into registers costs more
/// than it saves.
const QUAD_TOKENS: usize = 32;

/// Elements of a matrix that is dequantised. Smaller ones don't pay for that second, larger ones
/// not for the memory.
const FLOAT_ELEMENTS: RangeInclusive<usize> = 1 << 16..=1 << 24;

/// A launch, as far as the choice of its kernels depends on it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Work {
    /// The product of a matrix `[rows, width]` with `tokens` vectors.
    Product {
        tokens: usize,
        rows: usize,
        width: usize,
    },
    /// Attention of `rows` query rows per KV head, in heads of `dim` elements.
    Attention { rows: usize, dim: usize },
}

/// A set of kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kernels {
    /// Those for a GPU.
    Gpu,
    /// Those for a CPU: a product of floats, attention in larger tiles.
    Cpu,
    /// Those for a CPU whose lanes exchange values within quads.
    Quads,
}

/// Chooses the kernels for `work` on `tensor`'s device.
pub(super) fn kernels_for(tensor: &CubeTensor, work: Work) -> Kernels {
    choose(Processor::behind(tensor), work)
}

fn choose(processor: Processor, work: Work) -> Kernels {
    if processor == Processor::Gpu {
        return Kernels::Gpu;
    }
    let (pays, quads_pay) = match work {
        Work::Product {
            tokens,
            rows,
            width,
        } => (
            tokens >= FLOAT_TOKENS && FLOAT_ELEMENTS.contains(&(rows * width)),
            tokens >= QUAD_TOKENS && quad_product::takes(rows, width),
        ),
        Work::Attention { rows, dim } => (true, quad_attention::takes(rows, dim)),
    };
    match processor {
        Processor::CpuWithQuads if pays && quads_pay => Kernels::Quads,
        _ if pays => Kernels::Cpu,
        _ => Kernels::Gpu,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn product(tokens: usize, rows: usize, width: usize) -> Work {
        Work::Product {
            tokens,
            rows,
            width,
        }
    }

    const fn attention(rows: usize, dim: usize) -> Work {
        Work::Attention { rows, dim }
    }

    /// A product of 1536 × 576 and attention in heads of 64 are SmolLM2's.
    #[test]
    fn each_processor_gets_its_kernels() {
        use Kernels::{Cpu, Gpu, Quads};
        for (work, on_cpu, with_quads) in [
            (product(15, 1536, 576), Gpu, Gpu),
            (product(16, 1536, 576), Cpu, Cpu),
            (product(32, 1536, 576), Cpu, Quads),
            (product(256, 64, 64), Gpu, Gpu),
            (product(256, 49_152, 576), Gpu, Gpu),
            // 1,500 rows are no multiple of 8.
            (product(256, 1500, 576), Cpu, Cpu),
            (attention(47, 64), Cpu, Cpu),
            (attention(48, 64), Cpu, Quads),
            (attention(768, 40), Cpu, Cpu),
        ] {
            assert_eq!(choose(Processor::Gpu, work), Gpu, "{work:?}");
            assert_eq!(choose(Processor::Cpu, work), on_cpu, "{work:?}");
            assert_eq!(
                choose(Processor::CpuWithQuads, work),
                with_quads,
                "{work:?}"
            );
        }
    }
}
