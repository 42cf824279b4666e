//! The tokens of a GGUF file and their kinds.

use crate::formats::WeightsError;
use crate::formats::gguf::{Metadata, MetadataArray, StringArray};
use crate::quoted::quoted;
use crate::text::TextError;
use crate::text::added::{Added, Kind};
use crate::text::limits::MAX_TOKENS;
use crate::text::parts::{Parts, ends_a_turn};

const TOKENS: &str = "tokenizer.ggml.tokens";
const TYPES: &str = "tokenizer.ggml.token_type";
pub(super) const BOS: &str = "tokenizer.ggml.bos_token_id";
pub(super) const EOS: &str = "tokenizer.ggml.eos_token_id";

/// Keys of tokens that are never text.
const MARKS: [&str; 4] = [
    BOS,
    EOS,
    "tokenizer.ggml.eot_token_id",
    "tokenizer.ggml.eom_token_id",
];

/// Tokens by number.
pub(super) struct Pieces<'a> {
    tokens: &'a StringArray,
    kinds: Vec<Kind>,
}

impl<'a> Pieces<'a> {
    pub(super) fn read(metadata: &'a Metadata) -> Result<Self, TextError> {
        let tokens = strings(metadata, TOKENS)?;
        if !(1..=MAX_TOKENS).contains(&tokens.len()) {
            let expected = format!("1 to {MAX_TOKENS} tokens");
            return Err(metadata.unfit(TOKENS, tokens.len(), expected).into());
        }
        let kinds = kinds(metadata, tokens.len())?;
        let mut pieces = Self { tokens, kinds };
        for key in MARKS {
            if let Some(id) = pieces.id(metadata, key)? {
                pieces.make_control(id);
            }
        }
        // By number, since the loop changes the kinds.
        for id in 0..pieces.len() as u32 {
            if pieces.text(id).is_some_and(ends_a_turn) {
                pieces.make_control(id);
            }
        }
        Ok(pieces)
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
    pub(super) fn id(&self, metadata: &Metadata, key: &str) -> Result<Option<u32>, WeightsError> {
        let Some(id) = metadata.unsigned(key)? else {
            return Ok(None);
        };
        match u32::try_from(id) {
            Ok(found) if (found as usize) < self.len() => Ok(Some(found)),
            _ => {
                let expected = format!("a token's number, below {}", self.len());
                Err(metadata.unfit(key, id, expected))
            }
        }
    }

    /// Inserts all tokens into `parts`.
    pub(super) fn insert_into(
        &self,
        parts: &mut Parts,
        metadata: &Metadata,
    ) -> Result<(), WeightsError> {
        for (id, text, kind) in self.iter() {
            // Files have empty tokens at unused numbers.
            let empty = text.is_empty();
            if !empty && !parts.insert(id, Added::new(text, kind)) {
                let found = format!("{} twice", quoted(text));
                return Err(metadata.unfit(TOKENS, found, "each token once"));
            }
        }
        Ok(())
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

/// Each token's kind; without the key, all are text.
fn kinds(metadata: &Metadata, tokens: usize) -> Result<Vec<Kind>, WeightsError> {
    let types = match metadata.array(TYPES)? {
        None => return Ok(vec![Kind::Normal; tokens]),
        Some(MetadataArray::I32(types)) => types.clone(),
        Some(MetadataArray::U32(types)) => types
            .iter()
            .map(|&number| i32::try_from(number).unwrap_or(-1))
            .collect(),
        Some(_) => return Err(metadata.unfit(TYPES, "an array of others", "32-bit integers")),
    };
    if types.len() != tokens {
        return Err(metadata.unfit(TYPES, types.len(), format!("{tokens} types")));
    }
    let kinds = types.iter().map(|number| match number {
        1 => Ok(Kind::Normal),
        2 => Ok(Kind::Unknown),
        3 => Ok(Kind::Control),
        4 => Ok(Kind::UserDefined),
        5 => Ok(Kind::Unused),
        6 => Ok(Kind::Byte),
        other => Err(metadata.unfit(TYPES, other, "token types from 1 to 6")),
    });
    kinds.collect()
}
