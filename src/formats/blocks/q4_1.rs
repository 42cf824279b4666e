//! Q4_1: a scale `d` and a minimum `m` (f16), then 16 bytes. Their low nibbles are elements 0 to
//! 15, the high ones 16 to 31. An element is d·q + m.

use super::format::{Format, Planes, Products, each, half_at, nibble_at};

const BYTES: usize = 20;

pub(super) static FORMAT: Format = Format {
    ggml_id: 3,
    elements: 32,
    bytes: BYTES,
    dequantise: |bytes| each(bytes, elements),
    planes: Planes {
        unit: 1,
        arranged: None,
        quants: &[4..20],
        scales: &[0..4],
    },
    wgsl: &[wgsl!("q4_1.wgsl"), wgsl!("nibble_weights.wgsl")],
    products: Products::NIBBLES,
};

fn elements(block: &[u8; BYTES]) -> [f32; 32] {
    let (d, m) = (half_at(block, 0), half_at(block, 2));
    std::array::from_fn(|i| {
        let nibble = nibble_at(block, 4, i);
        d * f32::from(nibble) + m
    })
}
