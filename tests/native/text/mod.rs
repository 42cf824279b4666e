//! Tokenizers and chat templates.

mod bounds;
mod bpe;
mod chat;
mod damaged;
mod detokenizer;
mod json;
mod memory;
mod pieces;
mod tokenizer;
