//! Q4_K: scales `d` and, for minima, `dmin` (f16), 12 bytes with the groups' scales and minima,
//! then 128 bytes. `k_scales` describes the 12 bytes. Each 32 of the 128 hold two groups of 32
//! elements. The low nibbles are the even group, the high ones the odd. An element of group g is
//! d·scale(g)·q − dmin·minimum(g).

use super::format::{Arranged, Format, Planes, Products, append_each, each};
use super::{groups, k_scales};

const BYTES: usize = 144;

/// The scales and minima come to take 16 bytes.
const ARRANGED: usize = BYTES + 4;

pub(super) static FORMAT: Format = Format {
    ggml_id: 12,
    elements: 256,
    bytes: BYTES,
    dequantise: |bytes| each(bytes, elements),
    planes: Planes {
        unit: 1,
        arranged: Some(Arranged {
            bytes: ARRANGED,
            append: |bytes, into| append_each(bytes, into, append),
        }),
        quants: &[20..ARRANGED],
        scales: &[0..20],
    },
    wgsl: &[
        wgsl!("q4_k.wgsl"),
        wgsl!("k_scale.wgsl"),
        wgsl!("nibble_weights.wgsl"),
    ],
    products: Products::NIBBLES.sharing(8),
};

fn elements(block: &[u8; BYTES]) -> [f32; 256] {
    k_scales::elements(block, |group, within| quant(block, group, within))
}

fn quant(block: &[u8; BYTES], group: usize, within: usize) -> u8 {
    (block[16 + group / 2 * 32 + within] >> (4 * (group % 2))) & 0xf
}

fn append(block: &[u8; BYTES], into: &mut Vec<u8>) {
    k_scales::append(block, into);
    for group in 0..8 {
        let quants = std::array::from_fn(|within| quant(block, group, within));
        groups::append(&groups::four_bits(&quants), into);
    }
}
