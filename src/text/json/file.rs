//! The fields of `tokenizer.json` that kvscope reads. The others, such as padding, change no single
//! text.

use crate::quoted::quoted;
use crate::text::TextError;
use crate::text::limits::MAX_TOKENS;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;
use std::fmt;
use tokenizers::models::bpe::Vocab;

#[derive(Deserialize)]
pub(super) struct File {
    #[serde(default)]
    pub(super) added_tokens: Vec<AddedToken>,
    pub(super) normalizer: Option<Json>,
    pub(super) pre_tokenizer: Option<Json>,
    pub(super) post_processor: Option<Json>,
    pub(super) decoder: Option<Json>,
    pub(super) model: Model,
}

#[derive(Deserialize)]
pub(super) struct AddedToken {
    pub(super) id: u32,
    pub(super) content: String,
    #[serde(default)]
    pub(super) single_word: bool,
    #[serde(default)]
    pub(super) lstrip: bool,
    #[serde(default)]
    pub(super) rstrip: bool,
    #[serde(default)]
    pub(super) special: bool,
}

#[derive(Deserialize)]
pub(super) struct Model {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) vocab: Vocabulary,
    /// A unigram model's, by its place in the list.
    pub(super) unk_id: Option<usize>,
    #[serde(default)]
    pub(super) merges: Vec<Merge>,
    pub(super) dropout: Option<f32>,
    pub(super) unk_token: Option<String>,
    pub(super) continuing_subword_prefix: Option<String>,
    pub(super) end_of_word_suffix: Option<String>,
    #[serde(default)]
    pub(super) fuse_unk: bool,
    #[serde(default)]
    pub(super) byte_fallback: bool,
    #[serde(default)]
    pub(super) ignore_merges: bool,
}

/// Tokens as the model has them. BPE has their numbers. A unigram model has them in their order,
/// with logarithms of their probabilities.
#[derive(Default)]
pub(super) struct Vocabulary {
    pub(super) tokens: Vocab,
    pub(super) scores: Option<Vec<f64>>,
    /// A text that is listed twice.
    pub(super) twice: Option<String>,
}

impl<'de> Deserialize<'de> for Vocabulary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(VocabularyVisitor)
    }
}

struct VocabularyVisitor;

impl<'de> Visitor<'de> for VocabularyVisitor {
    type Value = Vocabulary;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "an object of tokens with numbers, or a list of tokens with scores"
        )
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vocabulary, A::Error> {
        let tokens = Vocab::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Vocabulary {
            tokens,
            ..Vocabulary::default()
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vocabulary, A::Error> {
        let (mut tokens, mut scores, mut twice) = (Vocab::default(), Vec::new(), None);
        while let Some((text, score)) = list.next_element::<(String, f64)>()? {
            if scores.len() >= MAX_TOKENS {
                return Err(A::Error::custom(format_args!(
                    "more than {MAX_TOKENS} tokens"
                )));
            }
            if tokens.insert(text.clone(), scores.len() as u32).is_some() {
                twice = Some(text);
            }
            scores.push(score);
        }
        Ok(Vocabulary {
            tokens,
            scores: Some(scores),
            twice,
        })
    }
}

/// Older files write a merge as one string.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Merge {
    Pair(String, String),
    Joined(String),
}

impl Merge {
    pub(super) fn pair(self) -> Result<(String, String), TextError> {
        let (left, right) = match self {
            Self::Pair(left, right) => (left, right),
            Self::Joined(text) => match text.split_once(' ') {
                Some((left, right)) => (left.to_owned(), right.to_owned()),
                None => (text, String::new()),
            },
        };
        if left.is_empty() || right.is_empty() {
            let found = quoted(&left);
            return Err(TextError::malformed("a merge", found, "two tokens"));
        }
        Ok((left, right))
    }
}
