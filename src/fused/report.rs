//! The report of a step, which comes back to the host. `choose.wgsl` and `draw.wgsl` write it:
//!
//! | word | content |
//! | --- | --- |
//! | 0 | the token that was chosen; [`NONE`](super::NONE) if no logit is finite |
//! | 1 | its probability, f32: the softmax over all logits |
//! | 2 | logits that are NaN or +∞ |
//! | 3 | 0 |

use crate::device::{Gpu, Pending};
use crate::generate::{GenerateError, PendingToken, SampledToken};

/// Bytes of a report.
pub(super) const REPORT_BYTES: u64 = 16;

/// The token of the report that `pending` brings.
pub(super) fn token(pending: Pending, gpu: &Gpu, vocabulary: usize) -> PendingToken {
    let gpu = gpu.clone();
    Box::pin(async move {
        let read = |bytes: &[u8]| parse(bytes, vocabulary);
        Ok(pending.read_with(&gpu, read).await??)
    })
}

/// # Errors
///
/// [`GenerateError::Logits`] if a logit is NaN or +∞, or none is finite.
fn parse(bytes: &[u8], vocabulary: usize) -> Result<SampledToken, GenerateError> {
    let (words, _) = bytes.as_chunks::<4>();
    let word = |index: usize| words.get(index).map_or(0, |word| u32::from_le_bytes(*word));
    let [token, probability, invalid] = [0, 1, 2].map(word);
    let wrong = |detail: String| Err(GenerateError::Logits { detail });
    if invalid > 0 {
        return wrong(format!("{invalid} are NaN or infinite"));
    }
    if token as usize >= vocabulary {
        return wrong(format!("of {vocabulary} none is finite"));
    }
    Ok(SampledToken {
        token,
        probability: f32::from_bits(probability),
    })
}

/// `bytes` as f32.
pub(super) fn floats(bytes: &[u8]) -> Vec<f32> {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fused::NONE;

    fn report(words: [u32; 4]) -> Result<SampledToken, String> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        parse(&bytes, 10).map_err(|error| error.to_string())
    }

    #[test]
    fn a_report_is_a_token_or_says_what_is_wrong_with_the_logits() {
        let found = report([9, 0.25_f32.to_bits(), 0, 0]).unwrap();
        assert_eq!((found.token, found.probability), (9, 0.25));
        let infinite = report([9, 0.25_f32.to_bits(), 3, 0]).unwrap_err();
        assert!(infinite.contains("3 are NaN or infinite"), "{infinite}");
        for token in [10, NONE] {
            let none = report([token, 0, 0, 0]).unwrap_err();
            assert!(none.contains("none is finite"), "{none}");
        }
    }
}
