//! SentencePiece's BPE: the model `llama`, of pieces and scores
//! (<https://github.com/google/sentencepiece>). The merge to the piece of the highest score comes
//! first.

use super::pieces::Pieces;
use crate::formats::WeightsError;
use crate::formats::gguf::{Metadata, MetadataArray};
use crate::quoted::quoted;
use crate::text::TextError;
use crate::text::added::Kind;
use crate::text::limits::{MAX_MERGES, MAX_PIECE_BYTES};
use crate::text::parts::{Marks, Parts, Rules};
use crate::text::spelling::{Spelling, fallback_byte};
use std::cmp::Reverse;
use tokenizers::models::bpe::{Merges, Vocab};
use tokenizers::normalizers::{NormalizerWrapper, Prepend, Replace, Sequence};

const TOKENS: &str = "tokenizer.ggml.tokens";
const SCORES: &str = "tokenizer.ggml.scores";
const UNKNOWN: &str = "tokenizer.ggml.unknown_token_id";

pub(super) fn parts(metadata: &Metadata) -> Result<Parts, TextError> {
    let pieces = Pieces::read(metadata)?;
    let prefix = metadata.boolean("tokenizer.ggml.add_space_prefix")?;
    let prefix = prefix.unwrap_or(true);
    let mut parts = Parts {
        vocab: Vocab::with_capacity(pieces.len()),
        merges: Merges::new(),
        added: Default::default(),
        vocabulary: pieces.len(),
        spelling: Spelling::SentencePiece {
            strip_space: prefix,
        },
        rules: Rules {
            normalizer: Some(normalizer(prefix)?),
            byte_fallback: true,
            fuse_unknown: true,
            unknown: unknown(metadata, &pieces)?,
            ..Rules::default()
        },
        marks: super::marks(metadata, &pieces, defaults(&pieces))?,
        template: None,
    };
    pieces.insert_into(&mut parts, metadata)?;
    if parts.rules.unknown.is_none() && !all_bytes(&pieces) {
        let expected = "an unknown token, or a token for each of the 256 bytes";
        return Err(metadata.unfit(UNKNOWN, "missing", expected).into());
    }
    parts.merges = merges(metadata, &pieces, &parts.vocab)?;
    Ok(parts)
}

/// The rules of SentencePiece's `identity` normalizer as these models use it: spaces become `▁`,
/// and one more precedes the text.
fn normalizer(prefix: bool) -> Result<NormalizerWrapper, TextError> {
    let spaces = Replace::new(" ", "▁").map_err(TextError::encode)?;
    let first = prefix.then(|| NormalizerWrapper::Prepend(Prepend::new("▁".to_owned())));
    let steps = first
        .into_iter()
        .chain([NormalizerWrapper::Replace(spaces)])
        .collect();
    Ok(NormalizerWrapper::Sequence(Sequence::new(steps)))
}

/// SentencePiece's own numbers for `<s>` and `</s>`, if these are control tokens.
fn defaults(pieces: &Pieces<'_>) -> Marks {
    let control = |id| (pieces.kind(id) == Some(Kind::Control)).then_some(id);
    Marks {
        bos: control(1),
        eos: control(2),
        add_bos: true,
        ..Marks::default()
    }
}

/// The text of the unknown token: by the file's key, else by its type.
fn unknown(metadata: &Metadata, pieces: &Pieces<'_>) -> Result<Option<String>, WeightsError> {
    let is_unknown = |id: &u32| pieces.kind(*id) == Some(Kind::Unknown);
    let named = pieces.id(metadata, UNKNOWN)?.filter(is_unknown);
    let id = named.or_else(|| (0..pieces.len() as u32).find(is_unknown));
    let text = id.and_then(|id| pieces.text(id));
    Ok(text.filter(|text| !text.is_empty()).map(str::to_owned))
}

fn all_bytes(pieces: &Pieces<'_>) -> bool {
    let mut seen = [false; 256];
    for (_, text, kind) in pieces.iter() {
        if kind == Kind::Byte
            && let Some(byte) = fallback_byte(text)
        {
            seen[usize::from(byte)] = true;
        }
    }
    seen.iter().all(|&seen| seen)
}

fn scores(metadata: &Metadata, tokens: usize) -> Result<&[f32], WeightsError> {
    match metadata.required(SCORES, Metadata::array)? {
        MetadataArray::F32(scores) if scores.len() != tokens => {
            Err(metadata.unfit(SCORES, scores.len(), format!("{tokens} scores")))
        }
        MetadataArray::F32(scores) => match scores.iter().find(|score| !score.is_finite()) {
            Some(score) => Err(metadata.unfit(SCORES, score, "finite scores")),
            None => Ok(scores),
        },
        _ => Err(metadata.unfit(SCORES, "an array of others", "32-bit floats")),
    }
}

/// A merge with its sort keys.
struct Ranked {
    score: f32,
    left_characters: u32,
    right_characters: u32,
    left: u32,
    right: u32,
}

/// All pairs of pieces that make a piece, in the order of transformers' converter. The order is by
/// score, then by the lengths in characters, all descending; ties by the pieces' numbers. See
/// `generate_merges` in
/// <https://github.com/huggingface/transformers/blob/main/src/transformers/convert_slow_tokenizer.py>.
fn merges(metadata: &Metadata, pieces: &Pieces<'_>, vocab: &Vocab) -> Result<Merges, WeightsError> {
    let scores = scores(metadata, pieces.len())?;
    // Unknown and byte tokens are in the vocabulary too, but their spelling is not text.
    let normal = |text: &str| {
        let id = vocab.get(text).copied();
        id.filter(|&id| pieces.kind(id) == Some(Kind::Normal))
    };
    let mut ranked: Vec<Ranked> = Vec::new();
    for ((_, text, kind), &score) in pieces.iter().zip(scores) {
        if kind != Kind::Normal {
            continue;
        }
        if text.len() > MAX_PIECE_BYTES {
            let expected = format!("pieces of at most {MAX_PIECE_BYTES} bytes");
            return Err(metadata.unfit(TOKENS, quoted(text), expected));
        }
        let (begin, characters) = (ranked.len(), text.chars().count() as u32);
        for (left_characters, (middle, _)) in (0..).zip(text.char_indices()).skip(1) {
            let (left, right) = text.split_at(middle);
            if let (Some(left), Some(right)) = (normal(left), normal(right)) {
                ranked.push(Ranked {
                    // Gives zero one sign, so that equal scores tie.
                    score: score + 0.0,
                    left_characters,
                    right_characters: characters - left_characters,
                    left,
                    right,
                });
            }
        }
        if ranked.len() > MAX_MERGES {
            let expected = format!("pieces that give at most {MAX_MERGES} merges");
            return Err(metadata.unfit(TOKENS, "a vocabulary that gives more", expected));
        }
        ranked[begin..].sort_unstable_by_key(|merge| (merge.left, merge.right));
    }
    ranked.sort_by(|a, b| {
        let lengths = |merge: &Ranked| Reverse((merge.left_characters, merge.right_characters));
        b.score
            .total_cmp(&a.score)
            .then_with(|| lengths(a).cmp(&lengths(b)))
    });
    let text = |id| pieces.text(id).unwrap_or_default().to_owned();
    let merges = ranked.iter();
    Ok(merges
        .map(|merge| (text(merge.left), text(merge.right)))
        .collect())
}
