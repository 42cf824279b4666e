//! 8-bit integers of rotated rows, four per word, and one scale per row, an f32 in the last word.

use super::RowStorage;
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
    let largest = row
        .iter()
        .fold(0.0_f32, |most, element| most.max(element.abs()));
    let scale = largest / MOST;
    let code = |element: f32| (element / scale).round_ties_even() as i8 as u8;
    let (fours, _) = row.as_chunks::<4>();
    words.extend(fours.iter().map(|four| u32::from_le_bytes(four.map(code))));
    words.push(scale.to_bits());
}

fn unpack(words: &[u32], row: &mut Vec<f32>) {
    let Some((scale, codes)) = words.split_last() else {
        return;
    };
    let scale = f32::from_bits(*scale);
    let codes = codes.iter().flat_map(|word| word.to_le_bytes());
    row.extend(codes.map(|code| scale * f32::from(code as i8)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> impl Iterator<Item = Vec<f32>> {
        [32, 64, 96, 128, 256].into_iter().flat_map(|dim| {
            let wave = |at: usize| (at as f32 * 1.7).sin() * (1.0 + at as f32 * 0.01);
            let outlier = |at: usize| if at == 5 { -1000.0 } else { wave(at) };
            [
                (0..dim).map(wave).collect(),
                (0..dim).map(outlier).collect(),
            ]
        })
    }

    fn words(row: &[f32]) -> Vec<u32> {
        let mut words = Vec::new();
        pack(row, &mut words);
        words
    }

    fn elements(words: &[u32]) -> Vec<f32> {
        let mut row = Vec::new();
        unpack(words, &mut row);
        row
    }

    #[test]
    fn elements_are_off_by_half_a_step_at_most() {
        for row in rows() {
            let words = words(&row);
            assert_eq!(Some(words.len()), (STORAGE.format.words)(row.len()));
            let largest = row.iter().fold(0.0_f32, |most, it| most.max(it.abs()));
            for (was, read) in row.iter().zip(elements(&words)) {
                assert!((was - read).abs() <= largest / 254.0 * 1.0001);
            }
        }
    }

    #[test]
    fn what_was_unpacked_packs_to_the_same_codes() {
        for row in rows() {
            let first = words(&row);
            let again = words(&elements(&first));
            let last = first.len() - 1;
            assert_eq!(again[..last], first[..last]);
            assert!(again[last].abs_diff(first[last]) <= 1);
        }
    }

    #[test]
    fn zeros_stay_zeros() {
        assert_eq!(elements(&words(&[0.0; 32])), [0.0; 32]);
    }
}
