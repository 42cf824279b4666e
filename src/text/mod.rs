//! From text to tokens and back: tokenizers, chat templates, and streaming detokenization.
//!
//! [`Tokenizer`] reads a GGUF file's metadata or Hugging Face's `tokenizer.json`.
//! [`Tokenizer::encode`] takes a text, [`Tokenizer::encode_chat`] a conversation. [`Detokenizer`]
//! gives the text of a generation token by token.
//!
//! # User text
//!
//! Control tokens, such as the end of a turn, are marks for the model. A user's text never becomes
//! one, even if it holds the very characters that a control token is shown as:
//!
//! - The vocabulary of the merges has no control tokens. Text becomes one only in a search for
//!   whole tokens, which [`Controls::AsText`] turns off.
//! - In a chat template's source, control tokens become marks that no message can hold. After
//!   rendering, these marks alone become control tokens. A template may therefore trim, cut and
//!   join messages as it likes.
//!
//! Tokens that a model declares as added text, such as `<think>`, are text, and found in user text.

mod added;
mod charsmap;
mod chat;
mod detokenizer;
mod error;
mod gguf;
mod json;
mod limits;
mod parts;
mod pre_tokenizer;
mod spelling;
mod tokenizer;

pub use chat::{ChatTemplate, Date, Message, Time};
pub use detokenizer::Detokenizer;
pub use error::TextError;
pub use limits::{
    MAX_JSON_BYTES, MAX_MERGES, MAX_PIECE_BYTES, MAX_TEMPLATE_BYTES, MAX_TEXT_BYTES, MAX_TOKENS,
};
pub use tokenizer::{Controls, Tokenizer, TokenizerFiles};
