//! Q8_0: a scale `d` (f16), then 32 signed bytes. An element is d·q.

use super::format::{Format, Planes, Products, each, half_at};

const BYTES: usize = 34;

pub(super) static FORMAT: Format = Format {
    ggml_id: 8,
    elements: 32,
    bytes: BYTES,
    dequantise: |bytes| each(bytes, elements),
    planes: Planes {
        unit: 2,
        arranged: None,
        quants: &[2..34],
        scales: &[0..2],
    },
    wgsl: &[wgsl!("q8_0.wgsl"), wgsl!("byte_weights.wgsl")],
    products: Products::BYTES.sharing(2),
};

fn elements(block: &[u8; BYTES]) -> [f32; 32] {
    let d = half_at(block, 0);
    std::array::from_fn(|i| d * f32::from(block[2 + i] as i8))
}
