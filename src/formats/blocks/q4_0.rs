//! Q4_0: a scale `d` (f16), then 16 bytes. Their low nibbles are elements 0 to 15, the high ones 16
//! to 31. An element is d·(q − 8).

use super::format::{Format, Planes, Products, each, half_at};

const BYTES: usize = 18;

pub(super) static FORMAT: Format = Format {
    ggml_id: 2,
    elements: 32,
    bytes: BYTES,
    dequantise: |bytes| each(bytes, elements),
    planes: Planes {
        unit: 2,
        quants: &[2..18],
        scales: &[0..2],
    },
    wgsl: &[wgsl!("q4_0.wgsl")],
    products: Products::NIBBLES,
};

fn elements(block: &[u8; BYTES]) -> [f32; 32] {
    let d = half_at(block, 0);
    std::array::from_fn(|i| {
        let nibble = (block[2 + i % 16] >> (4 * (i / 16))) & 0xf;
        d * (f32::from(nibble) - 8.0)
    })
}
