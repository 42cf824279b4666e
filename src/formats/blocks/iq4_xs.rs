//! IQ4_XS: a scale `d` (f16), 2 and 4 bytes with eight scales of 6 bits, then 128 bytes. Each group
//! of 32 elements has 16 of them.
//!
//! Bits 2g and 2g + 1 of the 2 bytes are the upper ones of scale g. Byte g/2 of the 4 has its lower
//! four, in the low nibble for an even g.
//!
//! A group's low nibbles are elements 0 to 15, the high ones 16 to 31. An element is
//! d·(scale − 32)·level(q), with the levels of IQ4_NL.

use super::format::{Arranged, Format, Planes, append_each, each, half_at, nibble_at};
use super::iq4_levels::{LEVELS, PRODUCTS};

const BYTES: usize = 136;

/// The scales come to take 8 bytes, and `d` a word.
const ARRANGED: usize = BYTES + 4;

pub(super) static FORMAT: Format = Format {
    ggml_id: 23,
    elements: 256,
    bytes: BYTES,
    dequantise: |bytes| each(bytes, elements),
    planes: Planes {
        unit: 1,
        arranged: Some(Arranged {
            bytes: ARRANGED,
            append: |bytes, into| append_each(bytes, into, append),
        }),
        quants: &[12..ARRANGED],
        scales: &[0..12],
    },
    wgsl: &[
        wgsl!("iq4_xs.wgsl"),
        wgsl!("iq4_levels.wgsl"),
        wgsl!("byte_weights.wgsl"),
    ],
    products: PRODUCTS.sharing(8),
};

fn elements(block: &[u8; BYTES]) -> [f32; 256] {
    let d = half_at(block, 0);
    std::array::from_fn(|i| {
        let (group, within) = (i / 32, i % 32);
        let nibble = nibble_at(block, 8 + 16 * group, within);
        let scale = f32::from(scale(block, group)) - 32.0;
        d * scale * f32::from(LEVELS[usize::from(nibble)])
    })
}

fn scale(block: &[u8; BYTES], group: usize) -> u8 {
    let low = block[4 + group / 2] >> (4 * (group % 2)) & 0xf;
    let high = block[2 + group / 4] >> (2 * (group % 4)) & 3;
    low | high << 4
}

fn append(block: &[u8; BYTES], into: &mut Vec<u8>) {
    into.extend(&block[..2]);
    into.extend([0; 2]);
    into.extend((0..8).map(|group| scale(block, group)));
    into.extend(&block[8..]);
}
