//! Q5_K: as Q4_K, with 32 bytes of fifth bits before the 128 of the lower four. Bit g of byte i is
//! that of element i of group g.

use super::format::{Arranged, Format, Planes, Products, append_each, each};
use super::{groups, k_scales};

const BYTES: usize = 176;

/// The scales and minima come to take 16 bytes.
const ARRANGED: usize = BYTES + 4;

pub(super) static FORMAT: Format = Format {
    ggml_id: 13,
    elements: 256,
    bytes: BYTES,
    dequantise: |bytes| each(bytes, elements),
    planes: Planes {
        unit: 1,
        arranged: Some(Arranged {
            bytes: ARRANGED,
            append: |bytes, into| append_each(bytes, into, append),
        }),
        quants: &[52..ARRANGED],
        scales: &[0..52],
    },
    wgsl: &[
        wgsl!("q5_k.wgsl"),
        wgsl!("k_scale.wgsl"),
        wgsl!("fifth_bits.wgsl"),
        wgsl!("fields.wgsl"),
        wgsl!("byte_weights.wgsl"),
    ],
    products: Products::FIELDS.sharing(8),
};

fn elements(block: &[u8; BYTES]) -> [f32; 256] {
    k_scales::elements(block, |group, within| quant(block, group, within))
}

fn quant(block: &[u8; BYTES], group: usize, within: usize) -> u8 {
    let bit = block[16 + within] >> group & 1;
    let nibble = (block[48 + group / 2 * 32 + within] >> (4 * (group % 2))) & 0xf;
    nibble | bit << 4
}

fn append(block: &[u8; BYTES], into: &mut Vec<u8>) {
    let all: [_; 8] = std::array::from_fn(|group| {
        let quants = std::array::from_fn(|within| quant(block, group, within));
        groups::five_bits(&quants)
    });
    k_scales::append(block, into);
    for (_, fifth) in all {
        groups::append(&[fifth], into);
    }
    for (nibbles, _) in all {
        groups::append(&nibbles, into);
    }
}
