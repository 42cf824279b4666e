//! The report of a step, which comes back to the host. `choose.wgsl` and `draw.wgsl` write its
//! first vector:
//!
//! | word | content |
//! | --- | --- |
//! | 0 | the token that was chosen; [`NONE`](super::NONE) if no logit is finite |
//! | 1 | its probability, f32: the softmax over all logits |
//! | 2 | logits that are NaN or +∞ |
//! | 3 | the probability's logarithm, f32 |
//!
//! `likeliest.wgsl` writes one vector per likeliest token behind it. Word 0 is the token, or
//! [`NONE`](super::NONE) where the vocabulary has no more; word 1 its logprob, f32.

use super::NONE;
use crate::device::{Gpu, Pending};
use crate::generate::{GenerateError, MOST_LOGPROBS, PendingToken, SampledToken, TokenLogprob};

/// Bytes of a vector.
const VECTOR_BYTES: usize = 16;

/// Bytes of the longest report.
pub(super) const MOST_REPORT_BYTES: u64 = report_bytes(MOST_LOGPROBS);

/// Bytes of a report with `likeliest` tokens.
pub(super) const fn report_bytes(likeliest: usize) -> u64 {
    (VECTOR_BYTES * (1 + likeliest)) as u64
}

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
    let (vectors, _) = bytes.as_chunks::<VECTOR_BYTES>();
    let mut vectors = vectors.iter().map(words);
    let [token, probability, invalid, logprob] = vectors.next().unwrap_or_default();
    let wrong = |detail: String| Err(GenerateError::Logits { detail });
    if invalid > 0 {
        return wrong(format!("{invalid} are NaN or infinite"));
    }
    if token as usize >= vocabulary {
        return wrong(format!("of {vocabulary} none is finite"));
    }
    let likeliest = vectors.map(|[token, logprob, ..]| TokenLogprob {
        token,
        logprob: f32::from_bits(logprob),
    });
    Ok(SampledToken {
        token,
        probability: f32::from_bits(probability),
        logprob: f32::from_bits(logprob),
        likeliest: likeliest.filter(|it| it.token != NONE).collect(),
    })
}

fn words(vector: &[u8; VECTOR_BYTES]) -> [u32; 4] {
    std::array::from_fn(|at| u32::from_le_bytes(std::array::from_fn(|byte| vector[4 * at + byte])))
}

/// `bytes` as f32.
pub(super) fn floats(bytes: &[u8]) -> Vec<f32> {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report<const N: usize>(words: [u32; N]) -> Result<SampledToken, String> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        parse(&bytes, 10).map_err(|error| error.to_string())
    }

    #[test]
    fn a_report_is_a_token_or_says_what_is_wrong_with_the_logits() {
        let logprob = |it: f32| it.to_bits();
        let found = report([9, 0.25_f32.to_bits(), 0, logprob(-1.5)]).unwrap();
        assert_eq!((found.token, found.probability), (9, 0.25));
        assert_eq!((found.logprob, found.likeliest.len()), (-1.5, 0));
        let [first, more] = [[9, 0, 0, 0], [3, logprob(-2.0), 0, 0]];
        let none = [NONE, 0, 0, 0];
        let found = report::<12>(std::array::from_fn(|at| {
            [first, more, none][at / 4][at % 4]
        }));
        let expected = TokenLogprob {
            token: 3,
            logprob: -2.0,
        };
        assert_eq!(found.unwrap().likeliest, [expected]);
        let infinite = report([9, 0.25_f32.to_bits(), 3, 0]).unwrap_err();
        assert!(infinite.contains("3 are NaN or infinite"), "{infinite}");
        for token in [10, NONE] {
            let none = report([token, 0, 0, 0]).unwrap_err();
            assert!(none.contains("none is finite"), "{none}");
        }
    }
}
