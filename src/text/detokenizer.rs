//! From tokens to text, as they come.

use super::tokenizer::Tokenizer;
use crate::generate;
use std::ops::Deref;

/// Turns tokens into text one by one. A character is never split: its beginning waits for the token
/// that completes it.
///
/// Joined, the results of [`push`](Self::push) and [`finish`](Self::finish) equal
/// [`String::from_utf8_lossy`] of all tokens' bytes: bytes that are no text become U+FFFD. Control
/// tokens are left out unless [`with_controls`](Self::with_controls) asks for them. The space that
/// SentencePiece puts before a text is left out too, unless
/// [`with_first_space`](Self::with_first_space) asks for it. Numbers outside the vocabulary, which
/// models with padded output can choose, add nothing.
///
/// It holds the tokenizer as anything that dereferences to it: `&Tokenizer`, an `Rc`, an `Arc`.
#[derive(Debug, Clone)]
pub struct Detokenizer<T> {
    tokenizer: T,
    controls: bool,
    first_space: bool,
    /// Bytes that begin a character.
    pending: Vec<u8>,
    /// No text has been returned yet.
    fresh: bool,
}

impl<T: Deref<Target = Tokenizer>> Detokenizer<T> {
    /// Creates one at the beginning of a text.
    pub fn new(tokenizer: T) -> Self {
        Self {
            tokenizer,
            controls: false,
            first_space: false,
            pending: Vec::new(),
            fresh: true,
        }
    }

    /// Sets whether control tokens are written as their text.
    pub fn with_controls(mut self, controls: bool) -> Self {
        self.controls = controls;
        self
    }

    /// Sets whether a text keeps its first space where SentencePiece would have put it. The
    /// continuation of a text does: it begins where that text ends.
    pub fn with_first_space(mut self, first_space: bool) -> Self {
        self.first_space = first_space;
        self
    }

    /// Adds a token and returns the text that is certain after it.
    pub fn push(&mut self, id: u32) -> String {
        if self.tokenizer.is_mark(id) && !self.controls {
            return String::new();
        }
        let bytes = self.tokenizer.token_bytes(id).unwrap_or_default();
        let mut bytes = bytes.as_slice();
        if self.fresh && !bytes.is_empty() {
            self.fresh = false;
            if self.tokenizer.begins_with_space() && !self.first_space {
                bytes = bytes.strip_prefix(b" ").unwrap_or(bytes);
            }
        }
        self.pending.extend_from_slice(bytes);
        self.complete()
    }

    /// Ends the text: returns U+FFFD for a character that was never completed, else nothing. The
    /// next token begins a new text.
    pub fn finish(&mut self) -> String {
        self.fresh = true;
        let rest = std::mem::take(&mut self.pending);
        String::from_utf8_lossy(&rest).into_owned()
    }

    /// Takes the complete characters out of the pending bytes.
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
