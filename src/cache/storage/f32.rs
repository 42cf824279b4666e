//! IEEE 754 binary32, an element per word.

use burn::tensor::DType;

use super::RowStorage;
use crate::kernels::RowFormat;
use crate::shaders::shader;

pub const STORAGE: RowStorage = RowStorage {
    format: RowFormat {
        name: "f32",
        wgsl: shader!("rows/f32.wgsl"),
        words: Some,
        unit: |_| 2,
    },
    head_dim: "any",
    framed: false,
    exact: 0,
    float: Some(DType::F32),
    pack: |row, words| words.extend(row.iter().map(|element| element.to_bits())),
    unpack: |words, row| {
        for (element, word) in row.iter_mut().zip(words) {
            *element = f32::from_bits(*word);
        }
    },
};
