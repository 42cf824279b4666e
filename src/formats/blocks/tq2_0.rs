//! TQ2_0: 64 bytes, then a scale `d` (f16). Each half of the block (128 elements) has 32 bytes.
//! Quarter k of a half has its elements in bits 2k and 2k + 1. An element is d·(q − 1).

use super::format::{Arranged, Format, Planes, Products, append_each, each, half_at, two_bits_at};
use super::groups;

const BYTES: usize = 66;

pub(super) static FORMAT: Format = Format {
    ggml_id: 35,
    elements: 256,
    bytes: BYTES,
    dequantise: |bytes| each(bytes, elements),
    planes: Planes {
        unit: 2,
        arranged: Some(Arranged {
            bytes: BYTES,
            append: |bytes, into| append_each(bytes, into, append),
        }),
        quants: &[0..64],
        scales: &[64..66],
    },
    wgsl: &[
        wgsl!("tq2_0.wgsl"),
        wgsl!("two_bits.wgsl"),
        wgsl!("two_bit_fields.wgsl"),
        wgsl!("fields.wgsl"),
        wgsl!("byte_weights.wgsl"),
    ],
    products: Products::FIELDS.sharing(8),
};

fn elements(block: &[u8; BYTES]) -> [f32; 256] {
    let d = half_at(block, 64);
    std::array::from_fn(|i| d * (f32::from(two_bits_at(block, 0, i)) - 1.0))
}

fn append(block: &[u8; BYTES], into: &mut Vec<u8>) {
    for group in 0..8 {
        let quants = std::array::from_fn(|within| two_bits_at(block, 0, 32 * group + within));
        groups::append(&groups::two_bits(&quants), into);
    }
    into.extend(&block[64..]);
}
