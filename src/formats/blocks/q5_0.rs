//! Q5_0: a scale `d` (f16), a word of fifth bits, then 16 bytes with the lower four. Bit i of the
//! word is element i's fifth. Their low nibbles are elements 0 to 15, the high ones 16 to 31. An
//! element is d·(q − 16).

use super::format::{
    Arranged, Format, Planes, Products, append_each, each, half_at, nibble_at, word_at,
};
use super::groups;

const BYTES: usize = 22;

pub(super) static FORMAT: Format = Format {
    ggml_id: 6,
    elements: 32,
    bytes: BYTES,
    dequantise: |bytes| each(bytes, elements),
    planes: Planes {
        unit: 1,
        arranged: Some(Arranged {
            bytes: BYTES,
            append: |bytes, into| append_each(bytes, into, append),
        }),
        quants: &[6..22],
        scales: &[0..2, 2..6],
    },
    wgsl: &[
        wgsl!("q5_0.wgsl"),
        wgsl!("fifth_bits.wgsl"),
        wgsl!("fields.wgsl"),
        wgsl!("byte_weights.wgsl"),
    ],
    products: Products::FIELDS,
};

fn elements(block: &[u8; BYTES]) -> [f32; 32] {
    let d = half_at(block, 0);
    quants(block).map(|quant| d * (f32::from(quant) - 16.0))
}

fn quants(block: &[u8; BYTES]) -> [u8; 32] {
    let fifth = word_at(block, 2);
    std::array::from_fn(|i| nibble_at(block, 6, i) | ((fifth >> i) as u8 & 1) << 4)
}

fn append(block: &[u8; BYTES], into: &mut Vec<u8>) {
    let (nibbles, fifth) = groups::five_bits(&quants(block));
    into.extend(&block[..2]);
    groups::append(&[fifth], into);
    groups::append(&nibbles, into);
}
