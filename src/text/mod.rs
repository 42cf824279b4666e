//! From text to tokens and back: tokenizers, chat templates, text from tokens as they come.
//!
//! [`Tokenizer`] is read from a GGUF file's metadata or from Hugging Face's `tokenizer.json`. [`Tokenizer::encode`] takes a
//! text, [`Tokenizer::encode_chat`] a conversation, and [`Detokenizer`] gives the text of a generation token by token.
//!
//! # What users write
//!
//! Control tokens, such as the one that ends a turn, are marks for the model. A text that a user wrote never becomes one,
//! even if it holds the very characters that a control token is shown as:
//!
//! - The vocabulary that merges lead to has no control tokens. A text becomes one only where it was looked for as a whole,
//!   and with [`Controls::AsText`] it is not.
//! - In a chat template the control tokens that the template itself writes are replaced, before it is compiled, by marks
//!   that no message can hold. After rendering, these marks alone become control tokens: it does not matter what the
//!   template does with a message on the way, be it to trim it, to cut it or to put it together with others.
//!
//! Tokens that were added as text (such as `<think>`, where a model declares it so) are text, and found in what users write.

mod added;
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

pub use chat::{ChatTemplate, Date, Message};
pub use detokenizer::Detokenizer;
pub use error::TextError;
pub use limits::{
    MAX_JSON_BYTES, MAX_MERGES, MAX_PIECE_BYTES, MAX_TEMPLATE_BYTES, MAX_TEXT_BYTES, MAX_TOKENS,
};
pub use tokenizer::{Controls, Tokenizer};
