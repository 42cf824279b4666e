//! Q2_K: 16 bytes with scales (low nibble) and minima (high nibble), 64 bytes, scales `d` and, for
//! minima, `dmin` (f16).
//!
//! Each half of the block (128 elements) has 32 of the 64 bytes. Quarter k of a half has its
//! elements in bits 2k and 2k + 1. A scale and a minimum are those of 16 elements in a row. An
//! element is d·scale·q − dmin·minimum.

use super::format::{Arranged, Format, Planes, Products, append_each, each, half_at, two_bits_at};
use super::groups;

const BYTES: usize = 84;

pub(super) static FORMAT: Format = Format {
    ggml_id: 10,
    elements: 256,
    bytes: BYTES,
    dequantise: |bytes| each(bytes, elements),
    planes: Planes {
        unit: 1,
        arranged: Some(Arranged {
            bytes: BYTES,
            append: |bytes, into| append_each(bytes, into, append),
        }),
        quants: &[16..80],
        scales: &[0..16, 80..84],
    },
    wgsl: &[
        wgsl!("q2_k.wgsl"),
        wgsl!("two_bits.wgsl"),
        wgsl!("two_bit_fields.wgsl"),
        wgsl!("sixteen_scales.wgsl"),
        wgsl!("fields.wgsl"),
        wgsl!("byte_weights.wgsl"),
    ],
    products: Products::FIELDS.sharing(8),
};

fn elements(block: &[u8; BYTES]) -> [f32; 256] {
    let (d, dmin) = (half_at(block, 80), half_at(block, 82));
    std::array::from_fn(|i| {
        let quant = two_bits_at(block, 16, i);
        let both = block[i / 16];
        d * f32::from(both & 0xf) * f32::from(quant) - dmin * f32::from(both >> 4)
    })
}

fn append(block: &[u8; BYTES], into: &mut Vec<u8>) {
    into.extend(&block[..16]);
    for group in 0..8 {
        let quants = std::array::from_fn(|within| two_bits_at(block, 16, 32 * group + within));
        groups::append(&groups::two_bits(&quants), into);
    }
    into.extend(&block[80..]);
}
