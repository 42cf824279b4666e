//! Q5_0: a scale `d` (f16), a word of fifth bits, then 16 bytes with the lower four. Bit i of the
//! word is element i's fifth. Their low nibbles are elements 0 to 15, the high ones 16 to 31. An
//! element is d·(q − 16).

use super::format::{Format, Planes, Products, each, half_at, word_at};

const BYTES: usize = 22;

pub(super) static FORMAT: Format = Format {
    ggml_id: 6,
    elements: 32,
    bytes: BYTES,
    dequantise: |bytes| each(bytes, elements),
    planes: Planes {
        unit: 1,
        quants: &[6..22],
        scales: &[0..2, 2..6],
    },
    wgsl: &[wgsl!("q5_0.wgsl")],
    products: Products::WEIGHTS,
};

fn elements(block: &[u8; BYTES]) -> [f32; 32] {
    let (d, fifth) = (half_at(block, 0), word_at(block, 2));
    std::array::from_fn(|i| {
        let nibble = (block[6 + i % 16] >> (4 * (i / 16))) & 0xf;
        let bit = (fifth >> i) as u8 & 1;
        d * (f32::from(nibble | bit << 4) - 16.0)
    })
}
