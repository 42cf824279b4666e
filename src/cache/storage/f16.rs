//! IEEE 754 binary16, two elements per word, the even-numbered one in the low half.

use burn::tensor::DType;
use half::f16;

use super::RowStorage;
use crate::kernels::RowFormat;
use crate::shaders::shader;

pub const STORAGE: RowStorage = RowStorage {
    format: RowFormat {
        name: "f16",
        wgsl: shader!("rows/f16.wgsl"),
        words: |dim| dim.is_multiple_of(2).then_some(dim / 2),
        unit: |_| 2,
    },
    head_dim: "even",
    framed: false,
    exact: 0,
    float: Some(DType::F16),
    pack,
    unpack,
};

fn pack(row: &[f32], words: &mut Vec<u32>) {
    let (pairs, _) = row.as_chunks::<2>();
    words.extend(pairs.iter().map(|pair| {
        let [low, high] = pair.map(|element| u32::from(f16::from_f32(element).to_bits()));
        low | high << 16
    }));
}

fn unpack(words: &[u32], row: &mut [f32]) {
    for (pair, word) in row.as_chunks_mut::<2>().0.iter_mut().zip(words) {
        *pair = [*word as u16, (*word >> 16) as u16].map(|bits| f16::from_bits(bits).to_f32());
    }
}
