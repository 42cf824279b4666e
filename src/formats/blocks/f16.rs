//! F16: 16-bit floats.

use super::format::{Format, Planes, Products, each};

pub(super) static FORMAT: Format = Format {
    ggml_id: 1,
    elements: 1,
    bytes: 2,
    dequantise: |bytes| each(bytes, |block| [half::f16::from_le_bytes(*block).to_f32()]),
    planes: Planes {
        unit: 2,
        arranged: None,
        quants: &[0..2],
        scales: &[],
    },
    wgsl: &[wgsl!("f16.wgsl")],
    products: Products::WEIGHTS,
};
