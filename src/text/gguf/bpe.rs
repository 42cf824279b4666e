//! BPE of tokens and merges: the models `gpt2` and `gemma4`.

use super::vocabulary::{Vocabulary, strings};
use crate::formats::WeightsError;
use crate::formats::gguf::Metadata;
use crate::quoted::quoted;
use crate::text::TextError;
use crate::text::limits::MAX_MERGES;
use crate::text::parts::{Marks, Parts};
use crate::text::pre_tokenizer::PreTokenizer;
use tokenizers::models::bpe::Merges;

const MERGES: &str = "tokenizer.ggml.merges";

/// Reads and checks everything. `own` names the pre-tokenizer of a model that has one of its own.
pub(super) fn parts(metadata: &Metadata, own: Option<&str>) -> Result<Parts, TextError> {
    let vocabulary = Vocabulary::read(metadata)?;
    let name = match own {
        Some(own) => own,
        None => metadata.text("tokenizer.ggml.pre")?.unwrap_or("default"),
    };
    let pre_tokenizer = PreTokenizer::named(name)?;
    let adds_bos = |said| pre_tokenizer.adds_bos(said);
    let marks = super::marks(metadata, &vocabulary, Marks::default(), adds_bos)?;
    let (spelling, rules) = (pre_tokenizer.spelling(), pre_tokenizer.rules()?);
    let mut parts = vocabulary.parts(spelling, rules, marks)?;
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
