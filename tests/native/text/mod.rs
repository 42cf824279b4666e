//! Tokenizers and chat templates.

mod bounds;
mod bpe;
mod chat;
mod damaged;
mod detokenizer;
mod ends;
mod json;
mod llamacpp;
mod memory;
mod pieces;
mod pre_tokenizers;
mod tokenizer;
mod unigram;
