//! Q3_K: 32 bytes with third bits, 64 with the lower two, 12 with scales, a scale `d` (f16).
//!
//! The lower bits are as in Q2_K. Bit g of third byte i is that of element i of group g, of 32
//! elements. A scale has 6 bits, and is that of 16 elements in a row. The first eight of the 12
//! bytes have the scales' lower four bits. Their low nibbles are scales 0 to 7, the high ones 8 to
//! 15. The last four have the upper two: scale s has bits 2(s/4) and 2(s/4) + 1 of byte s % 4. An
//! element is d·(scale − 32)·(q − 4).

use super::format::{Arranged, Format, Planes, Products, append_each, each, half_at, two_bits_at};
use super::groups;

const BYTES: usize = 110;

/// The scales come to take 16 bytes.
const ARRANGED: usize = BYTES + 4;

pub(super) static FORMAT: Format = Format {
    ggml_id: 11,
    elements: 256,
    bytes: BYTES,
    dequantise: |bytes| each(bytes, elements),
    planes: Planes {
        unit: 1,
        arranged: Some(Arranged {
            bytes: ARRANGED,
            append: |bytes, into| append_each(bytes, into, append),
        }),
        quants: &[0..96],
        scales: &[96..112, 112..ARRANGED],
    },
    wgsl: &[
        wgsl!("q3_k.wgsl"),
        wgsl!("two_bits.wgsl"),
        wgsl!("sixteen_scales.wgsl"),
        wgsl!("scale_pair.wgsl"),
        wgsl!("fields.wgsl"),
        wgsl!("byte_weights.wgsl"),
    ],
    products: Products::FIELDS.sharing(8),
};

fn elements(block: &[u8; BYTES]) -> [f32; 256] {
    let d = half_at(block, 108);
    std::array::from_fn(|i| {
        let scale = f32::from(scale(block, i / 16)) - 32.0;
        d * scale * (f32::from(quant(block, i)) - 4.0)
    })
}

fn quant(block: &[u8; BYTES], i: usize) -> u8 {
    let third = block[i % 32] >> (i / 32) & 1;
    two_bits_at(block, 32, i) | third << 2
}

fn scale(block: &[u8; BYTES], number: usize) -> u8 {
    let low = block[96 + number % 8] >> (4 * (number / 8)) & 0xf;
    let high = block[104 + number % 4] >> (2 * (number / 4)) & 3;
    low | high << 4
}

fn append(block: &[u8; BYTES], into: &mut Vec<u8>) {
    let all: [_; 8] = std::array::from_fn(|group| {
        let quants = std::array::from_fn(|within| quant(block, 32 * group + within));
        groups::three_bits(&quants)
    });
    for (lower, _) in all {
        groups::append(&lower, into);
    }
    for (_, third) in all {
        groups::append(&[third], into);
    }
    into.extend((0..16).map(|number| scale(block, number)));
    into.extend(&block[108..]);
}
