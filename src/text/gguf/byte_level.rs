//! Byte-level BPE: the model `gpt2`, of tokens and merges.

use super::pieces::{Pieces, strings};
use crate::formats::WeightsError;
use crate::formats::gguf::Metadata;
use crate::quoted::quoted;
use crate::text::TextError;
use crate::text::limits::MAX_MERGES;
use crate::text::parts::{Marks, Parts};
use crate::text::pre_tokenizer::PreTokenizer;
use crate::text::spelling::Spelling;
use tokenizers::models::bpe::{Merges, Vocab};

const MERGES: &str = "tokenizer.ggml.merges";

pub(super) fn parts(metadata: &Metadata) -> Result<Parts, TextError> {
    let pieces = Pieces::read(metadata)?;
    let name = metadata.text("tokenizer.ggml.pre")?.unwrap_or("default");
    let pre_tokenizer = PreTokenizer::named(name)?;
    let defaults = Marks {
        add_bos: pre_tokenizer.adds_bos(),
        ..Marks::default()
    };
    let mut parts = Parts {
        vocab: Vocab::with_capacity(pieces.len()),
        merges: Merges::new(),
        added: Default::default(),
        vocabulary: pieces.len(),
        spelling: Spelling::ByteLevel,
        rules: pre_tokenizer.rules()?,
        marks: super::marks(metadata, &pieces, defaults)?,
        template: None,
    };
    pieces.insert_into(&mut parts, metadata)?;
    parts.merges = merges(metadata, &parts)?;
    Ok(parts)
}

fn merges(metadata: &Metadata, parts: &Parts) -> Result<Merges, WeightsError> {
    let written = strings(metadata, MERGES)?;
    if written.len() > MAX_MERGES {
        let expected = format!("at most {MAX_MERGES} merges");
        return Err(metadata.unfit(MERGES, written.len(), expected));
    }
    let mut merges = Merges::with_capacity(written.len());
    for merge in written.iter() {
        let unfit = |expected| metadata.unfit(MERGES, quoted(merge), expected);
        let (left, right) = merge
            .split_once(' ')
            .filter(|(left, right)| !left.is_empty() && !right.is_empty())
            .ok_or_else(|| unfit("two tokens with a space between them"))?;
        let together = [left, right].concat();
        let merging = [left, right, &together];
        if merging.iter().all(|token| parts.merges_through(token)) {
            merges.push((left.to_owned(), right.to_owned()));
        } else if !merging.iter().all(|token| {
            // A merge may lead to a token that was added whole; no text takes it.
            parts.vocab.contains_key(*token) || parts.added.id(token).is_some()
        }) {
            return Err(unfit("tokens of the vocabulary that make another"));
        }
    }
    Ok(merges)
}
