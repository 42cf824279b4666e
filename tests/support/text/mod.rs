//! Small vocabularies for tests, written into GGUF headers.

pub mod plain;

use crate::support::gguf_file::{GgufFile, Value};
use kvscope::formats::gguf::{GgufEvent, GgufReader, Metadata};
use kvscope::text::{Detokenizer, TextError, Tokenizer};

pub const NORMAL: i32 = 1;
pub const UNKNOWN: i32 = 2;
pub const CONTROL: i32 = 3;
pub const USER_DEFINED: i32 = 4;
pub const UNUSED: i32 = 5;
pub const BYTE: i32 = 6;

/// GPT-2's alphabet: the character for each byte, by the loop that was published.
pub fn alphabet() -> Vec<char> {
    let mut next = 256;
    let characters = (0..=255_u32).map(|byte| match byte {
        33..=126 | 161..=172 | 174..=255 => byte,
        _ => {
            next += 1;
            next - 1
        }
    });
    characters.map(|c| char::from_u32(c).unwrap()).collect()
}

/// A text's bytes in that alphabet.
pub fn spelled(text: &str) -> String {
    let alphabet = alphabet();
    text.bytes()
        .map(|byte| alphabet[usize::from(byte)])
        .collect()
}

/// A vocabulary as the file has it: tokens, their types, merges or scores, and further keys.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    pub tokens: Vec<String>,
    pub types: Vec<i32>,
    pub merges: Vec<String>,
    pub scores: Vec<f32>,
    pub more: Vec<(String, Value)>,
}

impl Vocabulary {
    /// The 256 bytes, then `marks`.
    pub fn bytes(marks: &[(&str, i32)]) -> Self {
        let mut vocabulary = Self::default();
        for character in alphabet() {
            vocabulary = vocabulary.token(&character.to_string(), NORMAL);
        }
        let marks = marks.iter();
        marks.fold(vocabulary, |it, (text, kind)| it.token(text, *kind))
    }

    pub fn token(mut self, text: &str, kind: i32) -> Self {
        self.tokens.push(text.to_owned());
        self.types.push(kind);
        self
    }

    /// A merge of two spelled tokens, and the token that it makes.
    pub fn merge(mut self, left: &str, right: &str) -> Self {
        let made = [left, right].concat();
        if !self.tokens.contains(&made) {
            self = self.token(&made, NORMAL);
        }
        self.merges.push(format!("{left} {right}"));
        self
    }

    pub fn with(mut self, key: &str, value: Value) -> Self {
        let key = format!("tokenizer.{key}");
        self.more.retain(|(known, _)| *known != key);
        self.more.push((key, value));
        self
    }

    pub fn id(&self, text: &str) -> u32 {
        let place = self.tokens.iter().position(|token| token == text);
        place.unwrap_or_else(|| panic!("no token {text:?}")) as u32
    }

    /// The keys of a byte-level vocabulary.
    pub fn gpt2(&self, pre: &str) -> GgufFile {
        let merges: Vec<&str> = self.merges.iter().map(String::as_str).collect();
        self.file("gpt2")
            .with("tokenizer.ggml.pre", Value::text(pre))
            .with("tokenizer.ggml.merges", Value::texts(&merges))
    }

    /// The keys of a SentencePiece vocabulary.
    pub fn llama(&self) -> GgufFile {
        let scores = self.scores.iter().map(|&score| Value::F32(score));
        let scores = Value::Array(6, scores.collect());
        self.file("llama").with("tokenizer.ggml.scores", scores)
    }

    fn file(&self, model: &str) -> GgufFile {
        let tokens: Vec<&str> = self.tokens.iter().map(String::as_str).collect();
        let types = self.types.iter().map(|&kind| Value::I32(kind)).collect();
        let file = GgufFile::new()
            .with("tokenizer.ggml.model", Value::text(model))
            .with("tokenizer.ggml.tokens", Value::texts(&tokens))
            .with("tokenizer.ggml.token_type", Value::Array(5, types));
        let more = self.more.iter().cloned();
        more.fold(file, |file, (key, value)| file.with(&key, value))
    }
}

pub fn metadata(file: &GgufFile) -> Metadata {
    let bytes = file.bytes();
    let mut reader = GgufReader::new(None);
    match reader.push(&mut bytes.as_slice()).unwrap() {
        Some(GgufEvent::Header(header)) => header.metadata.clone(),
        other => panic!("{other:?}"),
    }
}

pub fn read(file: &GgufFile) -> Result<Tokenizer, TextError> {
    Tokenizer::from_gguf(&metadata(file))
}

/// The text of tokens, control tokens shown.
pub fn shown(tokenizer: &Tokenizer, ids: &[u32]) -> String {
    decoded(Detokenizer::new(tokenizer).with_controls(true), ids)
}

pub fn decoded(mut detokenizer: Detokenizer<&Tokenizer>, ids: &[u32]) -> String {
    let mut text: String = ids.iter().map(|&id| detokenizer.push(id)).collect();
    text += &detokenizer.finish();
    text
}

/// The control tokens among `ids`.
pub fn controls(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<u32> {
    let ids = ids.iter().copied();
    ids.filter(|&id| tokenizer.is_control(id)).collect()
}
