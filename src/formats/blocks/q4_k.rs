//! Q4_K: scales `d` and, for minima, `dmin` (f16), 12 bytes with the groups' scales and minima,
//! then 128 bytes. `k_scales` describes the 12 bytes. Each 32 of the 128 hold two groups of 32
//! elements. The low nibbles are the even group, the high ones the odd. An element of group g is
//! d·scale(g)·q − dmin·minimum(g).

use super::format::{Format, Planes, Products, each, half_at};
use super::k_scales::scale_and_minimum;

const BYTES: usize = 144;

pub(super) static FORMAT: Format = Format {
    ggml_id: 12,
    elements: 256,
    bytes: BYTES,
    dequantise: |bytes| each(bytes, elements),
    planes: Planes {
        unit: 1,
        quants: &[16..144],
        scales: &[0..16],
    },
    wgsl: &[wgsl!("q4_k.wgsl"), wgsl!("k_scale.wgsl")],
    products: Products::NIBBLES,
};

fn elements(block: &[u8; BYTES]) -> [f32; 256] {
    let (d, dmin) = (half_at(block, 0), half_at(block, 2));
    let packed: [u8; 12] = std::array::from_fn(|i| block[4 + i]);
    std::array::from_fn(|i| {
        let (group, within) = (i / 32, i % 32);
        let (scale, minimum) = scale_and_minimum(packed, group);
        let nibble = (block[16 + group / 2 * 32 + within] >> (4 * (group % 2))) & 0xf;
        d * f32::from(scale) * f32::from(nibble) - dmin * f32::from(minimum)
    })
}
