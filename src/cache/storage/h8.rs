//! 8-bit integers of rotated rows, four per word, and one scale per row, an f32 in the last word.

use super::{RowStorage, largest, push_no_numbers};
use crate::kernels::RowFormat;
use crate::shaders::shader;

pub const STORAGE: RowStorage = RowStorage {
    format: RowFormat {
        name: "h8",
        wgsl: shader!("rows/h8.wgsl"),
        words: |dim| (dim.is_multiple_of(32) && dim <= 256).then_some(dim / 4 + 1),
        unit: |dim| dim,
    },
    head_dim: "a multiple of 32, at most 256,",
    framed: true,
    exact: 0,
    float: None,
    pack,
    unpack,
};

/// The largest code.
const MOST: f32 = 127.0;

fn pack(row: &[f32], words: &mut Vec<u32>) {
    let Some(largest) = largest(row) else {
        return push_no_numbers(row.len() / 4, words);
    };
    let scale = largest / MOST;
    let code = |element: f32| (element / scale).round_ties_even() as i8 as u8;
    let (fours, _) = row.as_chunks::<4>();
    words.extend(fours.iter().map(|four| u32::from_le_bytes(four.map(code))));
    words.push(scale.to_bits());
}

fn unpack(words: &[u32], row: &mut [f32]) {
    let Some((scale, codes)) = words.split_last() else {
        return;
    };
    let scale = f32::from_bits(*scale);
    for (four, word) in row.as_chunks_mut::<4>().0.iter_mut().zip(codes) {
        *four = word.to_le_bytes().map(|code| scale * f32::from(code as i8));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::storage::tests::{elements, rows, words};

    #[test]
    fn elements_are_off_by_half_a_step_at_most() {
        for row in rows() {
            let words = words(STORAGE, &row);
            assert_eq!(Some(words.len()), (STORAGE.format.words)(row.len()));
            let largest = largest(&row).unwrap();
            for (was, read) in row.iter().zip(elements(STORAGE, &words)) {
                assert!((was - read).abs() <= largest / 254.0 * 1.0001);
            }
        }
    }
}
