//! MXFP4: an exponent `e` of 8 bits, then 16 bytes. Their low nibbles are elements 0 to 15, the
//! high ones 16 to 31. See the Open Compute Project's Microscaling Formats, section 5.3.
//!
//! A nibble is a float of a sign, two bits of exponent and one of mantissa. An element is
//! 2^(e − 127) times that. The levels here are twice as large, which makes them integers.

use super::format::{Arranged, Format, Planes, Products, append_each, each, nibble_at};
use super::groups;

const BYTES: usize = 17;

/// Twice the float of each nibble.
const LEVELS: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

pub(super) static FORMAT: Format = Format {
    ggml_id: 39,
    elements: 32,
    bytes: BYTES,
    dequantise: |bytes| each(bytes, elements),
    planes: Planes {
        unit: 4,
        arranged: Some(Arranged {
            bytes: BYTES,
            append: |bytes, into| append_each(bytes, into, append),
        }),
        quants: &[1..17],
        scales: &[0..1],
    },
    wgsl: &[
        wgsl!("mxfp4.wgsl"),
        wgsl!("fields.wgsl"),
        wgsl!("byte_weights.wgsl"),
    ],
    products: Products::FIELDS.sharing(4),
};

fn elements(block: &[u8; BYTES]) -> [f32; 32] {
    let half = half_power(block[0]);
    std::array::from_fn(|i| {
        let nibble = nibble_at(block, 1, i);
        half * f32::from(LEVELS[usize::from(nibble)])
    })
}

/// 2^(e − 128): of the smallest two the bits are those of a subnormal float.
fn half_power(e: u8) -> f32 {
    f32::from_bits(match e {
        0 | 1 => 0x0020_0000 << e,
        _ => (u32::from(e) - 1) << 23,
    })
}

/// Puts the bits of each nibble into the order that `mxfp4.wgsl` has them in.
fn append(block: &[u8; BYTES], into: &mut Vec<u8>) {
    let quants = std::array::from_fn(|i| {
        let nibble = nibble_at(block, 1, i);
        nibble >> 3 | nibble >> 1 & 2 | (nibble & 3) << 2
    });
    into.push(block[0]);
    groups::append(&groups::four_bits(&quants), into);
}
