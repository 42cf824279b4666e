//! From tokens to text, as they come.

use super::added::Kind;
use super::spelling::Spelling;
use super::tokenizer::Tokenizer;
use crate::generate;
use std::ops::Deref;

/// Turns tokens into text one by one, and never splits a character: what a token leaves incomplete comes with a later one.
///
/// Put together, what [`push`](Self::push) and [`finish`](Self::finish) return is what [`String::from_utf8_lossy`] makes of
/// the bytes of all tokens, bytes that are no text as U+FFFD. Control tokens are left out unless
/// [`with_controls`](Self::with_controls) asks for them, and so is the space that SentencePiece puts before a text.
/// Numbers that the vocabulary does not have, which models with padded output can choose, add nothing.
///
/// It holds the tokenizer as anything that leads to it: `&Tokenizer`, an `Rc`, an `Arc`.
#[derive(Debug, Clone)]
pub struct Detokenizer<T> {
    tokenizer: T,
    controls: bool,
    /// Bytes that begin a character.
    pending: Vec<u8>,
    /// Whether there has been no text yet.
    fresh: bool,
}

impl<T: Deref<Target = Tokenizer>> Detokenizer<T> {
    /// At the beginning of a text.
    pub fn new(tokenizer: T) -> Self {
        Self {
            tokenizer,
            controls: false,
            pending: Vec::new(),
            fresh: true,
        }
    }

    /// Whether control tokens are written as their text.
    pub fn with_controls(mut self, controls: bool) -> Self {
        self.controls = controls;
        self
    }

    /// The text that is certain after `id`.
    pub fn push(&mut self, id: u32) -> String {
        let hidden = matches!(
            self.tokenizer.kind(id),
            Some(Kind::Control | Kind::Unknown | Kind::Unused)
        );
        if hidden && !self.controls {
            return String::new();
        }
        let bytes = self.tokenizer.token_bytes(id).unwrap_or_default();
        let strips = Spelling::SentencePiece { strip_space: true };
        let mut bytes = bytes.as_slice();
        if self.fresh && !bytes.is_empty() {
            self.fresh = false;
            if self.tokenizer.spelling == strips {
                bytes = bytes.strip_prefix(b" ").unwrap_or(bytes);
            }
        }
        self.pending.extend_from_slice(bytes);
        self.complete()
    }

    /// What was left over: nothing, or a character that was never completed, as U+FFFD. Then it is at the beginning again.
    pub fn finish(&mut self) -> String {
        self.fresh = true;
        let rest = std::mem::take(&mut self.pending);
        String::from_utf8_lossy(&rest).into_owned()
    }

    /// Takes what is certain out of the pending bytes.
    fn complete(&mut self) -> String {
        let mut text = String::new();
        let mut rest = self.pending.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    rest = &[];
                    break;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    rest = after;
                    let Some(invalid) = error.error_len() else {
                        break;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = &rest[invalid..];
                }
            }
        }
        self.pending = rest.to_vec();
        text
    }
}

impl<T: Deref<Target = Tokenizer>> generate::Spelling for Detokenizer<T> {
    fn push(&mut self, token: u32) -> String {
        Self::push(self, token)
    }

    fn finish(&mut self) -> String {
        Self::finish(self)
    }
}
