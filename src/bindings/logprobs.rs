//! A step's tokens with their logprobs in JavaScript, as OpenAI's answers have them.

use serde::Serialize;
use tsify::Tsify;

use crate::engine::Engine;
use crate::generate::{Step, TokenLogprob};

/// A token with its text and its probability.
#[derive(Debug, Clone, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct TokenReport {
    /// Number in the vocabulary.
    pub token: u32,
    /// Text. Bytes that are only part of a character are U+FFFD.
    pub text: String,
    /// Bytes that it adds to the answer; none if it is a mark, which adds nothing.
    #[tsify(optional)]
    pub bytes: Option<Vec<u8>>,
    /// Natural logarithm of the model's own probability.
    pub logprob: f32,
}

/// The token of a step, and the likeliest ones.
#[derive(Debug, Clone, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct StepLogprobs {
    /// The chosen token.
    pub chosen: TokenReport,
    /// The likeliest tokens, as many as the request asked for.
    pub likeliest: Vec<TokenReport>,
}

impl StepLogprobs {
    pub(super) fn of(engine: &Engine, step: &Step) -> Self {
        let report = |token: u32, logprob: f32| {
            let tokenizer = engine.tokenizer();
            let bytes = tokenizer.token_bytes(token).unwrap_or_default();
            TokenReport {
                token,
                text: String::from_utf8_lossy(&bytes).into_owned(),
                bytes: Some(bytes).filter(|_| !tokenizer.is_mark(token)),
                logprob,
            }
        };
        let likeliest = step.likeliest.iter();
        Self {
            chosen: report(step.token, step.logprob),
            likeliest: likeliest
                .map(|TokenLogprob { token, logprob }| report(*token, *logprob))
                .collect(),
        }
    }
}
