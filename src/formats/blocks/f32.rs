//! F32: 32-bit floats.

use super::format::{Format, Planes, Products, each};

pub(super) static FORMAT: Format = Format {
    ggml_id: 0,
    elements: 1,
    bytes: 4,
    dequantise: |bytes| each(bytes, |block| [f32::from_le_bytes(*block)]),
    planes: Planes {
        unit: 1,
        arranged: None,
        quants: &[0..4],
        scales: &[],
    },
    wgsl: &[wgsl!("f32.wgsl")],
    products: Products::WEIGHTS,
};
