//! Q6_K: 128 bytes with lower four bits, 64 with upper two, 16 signed 8-bit scales, a scale `d`
//! (f16).
//!
//! Each half of the block (128 elements) has 64 bytes of lower and 32 of upper bits. A quarter of
//! it has 32 elements. Quarters 0 and 1 have their lower bits in the low nibbles of the first and
//! second 32 bytes. Quarters 2 and 3 have them in the high nibbles. Quarter k has its upper bits in
//! bits 2k and 2k + 1. A scale is that of 16 elements in a row. An element is d·scale·(q − 32).

use super::format::{Arranged, Format, Planes, Products, append_each, each, half_at, two_bits_at};
use super::groups;

const BYTES: usize = 210;

pub(super) static FORMAT: Format = Format {
    ggml_id: 14,
    elements: 256,
    bytes: BYTES,
    dequantise: |bytes| each(bytes, elements),
    planes: Planes {
        unit: 1,
        arranged: Some(Arranged {
            bytes: BYTES,
            append: |bytes, into| append_each(bytes, into, append),
        }),
        quants: &[0..192],
        scales: &[192..208, 208..210],
    },
    wgsl: &[
        wgsl!("q6_k.wgsl"),
        wgsl!("sixteen_scales.wgsl"),
        wgsl!("scale_pair.wgsl"),
        wgsl!("fields.wgsl"),
        wgsl!("byte_weights.wgsl"),
    ],
    products: Products::FIELDS.sharing(8),
};

fn elements(block: &[u8; BYTES]) -> [f32; 256] {
    let d = half_at(block, 208);
    std::array::from_fn(|i| {
        let scale = block[192 + i / 16] as i8;
        d * f32::from(scale) * (f32::from(quant(block, i)) - 32.0)
    })
}

fn quant(block: &[u8; BYTES], i: usize) -> u8 {
    let (half, quarter, within) = (i / 128, i % 128 / 32, i % 32);
    let lower = block[half * 64 + quarter % 2 * 32 + within] >> (4 * (quarter / 2)) & 0xf;
    lower | two_bits_at(block, 128, i) << 4
}

fn append(block: &[u8; BYTES], into: &mut Vec<u8>) {
    let all: [_; 8] = std::array::from_fn(|group| {
        let quants = std::array::from_fn(|within| quant(block, 32 * group + within));
        groups::six_bits(&quants)
    });
    for (nibbles, _) in all {
        groups::append(&nibbles, into);
    }
    for (_, upper) in all {
        groups::append(&upper, into);
    }
    into.extend(&block[192..]);
}
