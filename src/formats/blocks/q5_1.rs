//! Q5_1: a scale `d`, a minimum `m` (f16), a word of fifth bits, then 16 bytes with the lower four.
//! Bit i of the word is element i's fifth. Their low nibbles are elements 0 to 15, the high ones 16
//! to 31. An element is d·q + m.

use super::format::{Format, Planes, Products, each, half_at, word_at};

const BYTES: usize = 24;

pub(super) static FORMAT: Format = Format {
    ggml_id: 7,
    elements: 32,
    bytes: BYTES,
    dequantise: |bytes| each(bytes, elements),
    planes: Planes {
        unit: 1,
        quants: &[8..24],
        scales: &[0..8],
    },
    wgsl: &[wgsl!("q5_1.wgsl")],
    products: Products::WEIGHTS,
};

fn elements(block: &[u8; BYTES]) -> [f32; 32] {
    let (d, m, fifth) = (half_at(block, 0), half_at(block, 2), word_at(block, 4));
    std::array::from_fn(|i| {
        let nibble = (block[8 + i % 16] >> (4 * (i / 16))) & 0xf;
        let bit = (fifth >> i) as u8 & 1;
        d * f32::from(nibble | bit << 4) + m
    })
}
