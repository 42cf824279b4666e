//! Q5_K: as Q4_K, with 32 bytes of fifth bits before the 128 of the lower four. Bit g of byte i is
//! that of element i of group g.

use super::format::{Format, Planes, Products, each, half_at};
use super::k_scales::scale_and_minimum;

const BYTES: usize = 176;

pub(super) static FORMAT: Format = Format {
    ggml_id: 13,
    elements: 256,
    bytes: BYTES,
    dequantise: |bytes| each(bytes, elements),
    planes: Planes {
        unit: 1,
        quants: &[16..176],
        scales: &[0..16],
    },
    wgsl: &[wgsl!("q5_k.wgsl"), wgsl!("k_scale.wgsl")],
    products: Products::WEIGHTS,
};

fn elements(block: &[u8; BYTES]) -> [f32; 256] {
    let (d, dmin) = (half_at(block, 0), half_at(block, 2));
    let packed: [u8; 12] = std::array::from_fn(|i| block[4 + i]);
    std::array::from_fn(|i| {
        let (group, within) = (i / 32, i % 32);
        let (scale, minimum) = scale_and_minimum(packed, group);
        let bit = block[16 + within] >> group & 1;
        let nibble = (block[48 + group / 2 * 32 + within] >> (4 * (group % 2))) & 0xf;
        d * f32::from(scale) * f32::from(nibble | bit << 4) - dmin * f32::from(minimum)
    })
}
