//! Q4_0: a scale `d` (f16), then 16 bytes. Their low nibbles are elements 0 to 15, the high ones 16
//! to 31. An element is d·(q − 8).

use super::format::{Format, Planes, Products, each, half_at, nibble_at};

const BYTES: usize = 18;

pub(super) static FORMAT: Format = Format {
    ggml_id: 2,
    elements: 32,
    bytes: BYTES,
    dequantise: |bytes| each(bytes, elements),
    planes: Planes {
        unit: 2,
        arranged: None,
        quants: &[2..18],
        scales: &[0..2],
    },
    wgsl: &[wgsl!("q4_0.wgsl"), wgsl!("nibble_weights.wgsl")],
    products: Products::NIBBLES.sharing(2),
};

fn elements(block: &[u8; BYTES]) -> [f32; 32] {
    let d = half_at(block, 0);
    std::array::from_fn(|i| {
        let nibble = nibble_at(block, 2, i);
        d * (f32::from(nibble) - 8.0)
    })
}
