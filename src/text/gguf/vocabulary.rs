//! The tokens of a GGUF file, their kinds and their scores.

use crate::formats::WeightsError;
use crate::formats::gguf::{Metadata, MetadataArray, StringArray};
use crate::quoted::quoted;
use crate::text::TextError;
use crate::text::added::{Added, Kind};
use crate::text::limits::{MAX_PIECE_BYTES, MAX_TOKENS};
use crate::text::parts::{Marks, Parts, Rules, STRUCK, ends_a_turn};
use crate::text::spelling::Spelling;
use std::borrow::Cow;
use std::collections::BTreeMap;
use tokenizers::models::bpe::{Merges, Vocab};

pub(super) const TOKENS: &str = "tokenizer.ggml.tokens";
const SCORES: &str = "tokenizer.ggml.scores";
const TYPES: &str = "tokenizer.ggml.token_type";
pub(super) const BOS: &str = "tokenizer.ggml.bos_token_id";
pub(super) const EOS: &str = "tokenizer.ggml.eos_token_id";
pub(super) const UNKNOWN: &str = "tokenizer.ggml.unknown_token_id";

/// Keys of tokens that end a turn beside EOS. The last three end a file in the middle of which a
/// model fills something in.
pub(super) const ENDS: [&str; 5] = [
    "tokenizer.ggml.eot_token_id",
    "tokenizer.ggml.eom_token_id",
    "tokenizer.ggml.fim_pad_token_id",
    "tokenizer.ggml.fim_rep_token_id",
    "tokenizer.ggml.fim_sep_token_id",
];

/// Control tokens that the last three of [`ENDS`] would name, by llama.cpp's list. `<reponame>` is
/// not among them: SmolLM2 has it, and was not made to fill anything in.
const FILL_IN_ENDS: [&str; 10] = [
    "<|fim_pad|>",
    "<fim-pad>",
    "<fim_pad>",
    "<PAD>",
    "[PAD]",
    "<|fim_repo|>",
    "<|repo_name|>",
    "<fim-repo>",
    "<REPO>",
    "<|file_sep|>",
];

/// Tokens by number.
pub(super) struct Vocabulary<'a> {
    metadata: &'a Metadata,
    tokens: &'a StringArray,
    kinds: Vec<Kind>,
    /// Tokens by the keys that name them.
    named: BTreeMap<&'static str, u32>,
}

impl<'a> Vocabulary<'a> {
    pub(super) fn read(metadata: &'a Metadata) -> Result<Self, TextError> {
        let tokens = strings(metadata, TOKENS)?;
        if !(1..=MAX_TOKENS).contains(&tokens.len()) {
            let expected = format!("1 to {MAX_TOKENS} tokens");
            return Err(metadata.unfit(TOKENS, tokens.len(), expected).into());
        }
        let kinds = kinds(metadata, tokens.len())?;
        let mut vocabulary = Self {
            metadata,
            tokens,
            kinds,
            named: BTreeMap::new(),
        };
        for key in [BOS, EOS, UNKNOWN].into_iter().chain(ENDS) {
            if let Some(id) = named(metadata, key, vocabulary.len())? {
                vocabulary.named.insert(key, id);
                if key != UNKNOWN {
                    vocabulary.make_control(id);
                }
            }
        }
        // By number, since the loop changes the kinds.
        for id in 0..vocabulary.len() as u32 {
            if vocabulary.text(id).is_some_and(ends_a_turn) {
                vocabulary.make_control(id);
            }
        }
        for (text, kind) in tokens.iter().zip(&mut vocabulary.kinds) {
            if text == STRUCK && matches!(kind, Kind::Normal | Kind::UserDefined) {
                *kind = Kind::Lookalike;
            }
        }
        Ok(vocabulary)
    }

    pub(super) fn len(&self) -> usize {
        self.kinds.len()
    }

    pub(super) fn text(&self, id: u32) -> Option<&'a str> {
        self.tokens.get(id as usize)
    }

    pub(super) fn kind(&self, id: u32) -> Option<Kind> {
        self.kinds.get(id as usize).copied()
    }

    /// All tokens: number, text, kind.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &'a str, Kind)> {
        let pairs = self.tokens.iter().zip(&self.kinds);
        pairs
            .enumerate()
            .map(|(id, (text, &kind))| (id as u32, text, kind))
    }

    /// The token that `key` names.
    pub(super) fn id(&self, key: &str) -> Option<u32> {
        self.named.get(key).copied()
    }

    /// The tokens beside EOS that end a turn by the file's keys, or a file by their names.
    pub(super) fn ends(&self) -> Vec<u32> {
        let keyed = ENDS.iter().filter_map(|key| self.id(key));
        let named = self
            .iter()
            .filter(|(_, text, kind)| *kind == Kind::Control && FILL_IN_ENDS.contains(text));
        keyed.chain(named.map(|(id, ..)| id)).collect()
    }

    /// The first token that stands for text outside the vocabulary, by its type.
    pub(super) fn first_unknown(&self) -> Option<u32> {
        let mut kinds = self.iter();
        let unknown = kinds.find(|(_, _, kind)| *kind == Kind::Unknown);
        unknown.map(|(id, ..)| id)
    }

    /// The tokens' scores, which have to be there.
    pub(super) fn scores(&self) -> Result<Cow<'a, [f32]>, WeightsError> {
        let (metadata, tokens) = (self.metadata, self.len());
        let array = metadata.required(SCORES, Metadata::array)?;
        let scores = match (array, array.integers()) {
            (MetadataArray::F32(scores), _) => Cow::Borrowed(scores.as_slice()),
            (_, Some(scores)) => scores.iter().map(|&score| score as f32).collect(),
            _ => {
                return Err(metadata.unfit(SCORES, "an array of others", "numbers, 32-bit floats"));
            }
        };
        if scores.len() < tokens {
            return Err(metadata.unfit(SCORES, scores.len(), format!("{tokens} scores")));
        }
        match scores.iter().find(|score| !score.is_finite()) {
            Some(score) => Err(metadata.unfit(SCORES, score, "finite scores")),
            None => Ok(scores),
        }
    }

    /// Refuses a piece that is longer than any.
    pub(super) fn check_length(&self, piece: &str) -> Result<(), WeightsError> {
        if piece.len() <= MAX_PIECE_BYTES {
            return Ok(());
        }
        let expected = format!("pieces of at most {MAX_PIECE_BYTES} bytes");
        Err(self.unfit(quoted(piece), expected))
    }

    /// Error of the list of tokens.
    pub(super) fn unfit(
        &self,
        found: impl std::fmt::Display,
        expected: impl Into<String>,
    ) -> WeightsError {
        self.metadata.unfit(TOKENS, found, expected)
    }

    /// A tokenizer's parts with all tokens, without merges, scores and template.
    pub(super) fn parts(
        &self,
        spelling: Spelling,
        rules: Rules,
        marks: Marks,
    ) -> Result<Parts, WeightsError> {
        let mut parts = Parts {
            vocab: Vocab::with_capacity(self.len()),
            merges: Merges::new(),
            scores: None,
            added: Default::default(),
            vocabulary: self.len(),
            spelling,
            rules,
            marks,
            template: None,
        };
        for (id, text, kind) in self.iter() {
            // Files have empty tokens at unused numbers.
            let empty = text.is_empty();
            if !empty && !parts.insert(id, Added::new(text, kind)) {
                let found = format!("{} twice", quoted(text));
                return Err(self.unfit(found, "each token once"));
            }
        }
        Ok(parts)
    }

    fn make_control(&mut self, id: u32) {
        if let Some(kind) = self.kinds.get_mut(id as usize) {
            *kind = Kind::Control;
        }
    }
}

/// The strings of a required array.
pub(super) fn strings<'a>(
    metadata: &'a Metadata,
    key: &str,
) -> Result<&'a StringArray, WeightsError> {
    match metadata.required(key, Metadata::array)? {
        MetadataArray::String(strings) => Ok(strings),
        _ => Err(metadata.unfit(key, "an array of others", "an array of strings")),
    }
}

/// The token that `key` names. As in llama.cpp, a number beyond the vocabulary names none.
fn named(metadata: &Metadata, key: &str, tokens: usize) -> Result<Option<u32>, WeightsError> {
    let Some(number) = metadata.unsigned(key)? else {
        return Ok(None);
    };
    let id = u32::try_from(number).ok();
    let id = id.filter(|&id| (id as usize) < tokens);
    if id.is_none() {
        log::warn!("{key} is {number}, which is no token's number: it is passed over");
    }
    Ok(id)
}

/// Each token's kind; without the key, all are text.
fn kinds(metadata: &Metadata, tokens: usize) -> Result<Vec<Kind>, WeightsError> {
    let Some(array) = metadata.array(TYPES)? else {
        return Ok(vec![Kind::Normal; tokens]);
    };
    let types = array
        .integers()
        .ok_or_else(|| metadata.unfit(TYPES, "an array of others", "32-bit integers, or others"))?;
    if types.len() < tokens {
        return Err(metadata.unfit(TYPES, types.len(), format!("{tokens} types")));
    }
    if types.len() > tokens {
        let count = types.len();
        log::warn!("{TYPES} has {count} types for {tokens} tokens: the last are passed over");
    }
    let mut unknown = None;
    let kinds = types.iter().take(tokens).map(|&number| match number {
        // ggml's "undefined".
        0 | 1 => Kind::Normal,
        2 => Kind::Unknown,
        3 => Kind::Control,
        4 => Kind::UserDefined,
        5 => Kind::Unused,
        6 => Kind::Byte,
        other => {
            unknown = Some(other);
            Kind::Normal
        }
    });
    let kinds = kinds.collect();
    if let Some(number) = unknown {
        log::warn!("{TYPES} has {number}, which is no type: such tokens are text");
    }
    Ok(kinds)
}
