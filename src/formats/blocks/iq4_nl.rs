//! IQ4_NL: a scale `d` (f16), then 16 bytes. Their low nibbles are elements 0 to 15, the high ones
//! 16 to 31. An element is d·level(q), with 16 levels that are not evenly spaced.

use super::format::{Format, Planes, each, half_at, nibble_at};
use super::iq4_levels::{LEVELS, PRODUCTS};

const BYTES: usize = 18;

pub(super) static FORMAT: Format = Format {
    ggml_id: 20,
    elements: 32,
    bytes: BYTES,
    dequantise: |bytes| each(bytes, elements),
    planes: Planes {
        unit: 2,
        arranged: None,
        quants: &[2..18],
        scales: &[0..2],
    },
    wgsl: &[
        wgsl!("iq4_nl.wgsl"),
        wgsl!("iq4_levels.wgsl"),
        wgsl!("byte_weights.wgsl"),
    ],
    products: PRODUCTS.sharing(2),
};

fn elements(block: &[u8; BYTES]) -> [f32; 32] {
    let d = half_at(block, 0);
    std::array::from_fn(|i| {
        let nibble = nibble_at(block, 2, i);
        d * f32::from(LEVELS[usize::from(nibble)])
    })
}
