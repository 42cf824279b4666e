//! 4-bit integers of rotated rows, eight per word, and one scale per row, an f32 in the last word.
//!
//! Code c stands for (c - 7.5) · scale. A word's low half-bytes are its first four elements, its
//! high ones the last four.

use super::{RowStorage, largest, push_no_numbers};
use crate::kernels::RowFormat;
use crate::shaders::shader;

pub const STORAGE: RowStorage = RowStorage {
    format: RowFormat {
        name: "h4",
        wgsl: shader!("rows/h4.wgsl"),
        words: |dim| (dim.is_multiple_of(32) && dim <= 256).then_some(dim / 8 + 1),
        unit: |dim| dim,
    },
    head_dim: "a multiple of 32, at most 256,",
    framed: true,
    exact: 16,
    float: None,
    pack,
    unpack,
};

/// The level of the largest code.
const MOST: f32 = 7.5;

/// Scales tried, as shares of the one that the largest element asks for.
const SHARES: [f32; 8] = [1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65];

fn pack(row: &[f32], words: &mut Vec<u32>) {
    pack_by(&SHARES, row, words);
}

/// Appends the words of a row, whose scale is one of these `shares` of the largest element's.
pub fn pack_by(shares: &[f32], row: &[f32], words: &mut Vec<u32>) {
    let Some(largest) = largest(row) else {
        return push_no_numbers(row.len() / 8, words);
    };
    let mut best = (f32::INFINITY, 0.0);
    for share in shares {
        let scale = largest * (share / MOST);
        let errors = row
            .iter()
            .map(|element| element - level(*element, scale) * scale);
        let error = errors.map(|error| error * error).sum::<f32>();
        if error < best.0 {
            best = (error, scale);
        }
    }
    let scale = best.1;
    let code = |element: f32| (level(element, scale) + MOST) as u32;
    let (eights, _) = row.as_chunks::<8>();
    words.extend(eights.iter().map(|eight| {
        let places = [0, 8, 16, 24, 4, 12, 20, 28];
        let codes = eight
            .iter()
            .zip(places)
            .map(|(it, place)| code(*it) << place);
        codes.fold(0, |word, code| word | code)
    }));
    words.push(scale.to_bits());
}

/// The level nearest to an element, in units of the scale.
fn level(element: f32, scale: f32) -> f32 {
    (element / scale + MOST)
        .round_ties_even()
        .clamp(0.0, 2.0 * MOST)
        - MOST
}

fn unpack(words: &[u32], row: &mut [f32]) {
    let Some((scale, codes)) = words.split_last() else {
        return;
    };
    let scale = f32::from_bits(*scale);
    for (fours, word) in row.as_chunks_mut::<8>().0.iter_mut().zip(codes) {
        let (fours, _) = fours.as_chunks_mut::<4>();
        for (four, half) in fours.iter_mut().zip([*word, *word >> 4]) {
            let codes = half.to_le_bytes().map(|byte| byte & 15);
            *four = codes.map(|code| scale * (f32::from(code) - MOST));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::storage::tests::{elements, rows, words};

    #[test]
    fn the_error_is_at_most_that_of_the_largest_elements_scale() {
        for row in rows() {
            let words = words(STORAGE, &row);
            assert_eq!(Some(words.len()), (STORAGE.format.words)(row.len()));
            let largest = largest(&row).unwrap();
            let step = f64::from(largest) / 7.5;
            let square = |was: &f32, read: f64| (f64::from(*was) - read).powi(2);
            let nearest = |was: &f32| {
                let levels = (0..16).map(|code| (f64::from(code) - 7.5) * step);
                levels
                    .map(|level| square(was, level))
                    .fold(f64::MAX, f64::min)
            };
            let most: f64 = row.iter().map(nearest).sum();
            let read = elements(STORAGE, &words);
            let off: f64 = row
                .iter()
                .zip(&read)
                .map(|(was, it)| square(was, f64::from(*it)))
                .sum();
            assert!(off <= most * 1.0001, "{off} of {most}");
        }
    }
}
