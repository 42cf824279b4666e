//! SentencePiece's BPE: the model `llama`, of pieces and scores
//! (<https://github.com/google/sentencepiece>). The merge to the piece of the highest score comes
//! first.

use super::vocabulary::{UNKNOWN, Vocabulary};
use crate::formats::WeightsError;
use crate::formats::gguf::Metadata;
use crate::text::TextError;
use crate::text::added::Kind;
use crate::text::limits::MAX_MERGES;
use crate::text::parts::{Marks, Parts, Rules};
use crate::text::spelling::{Spelling, fallback_byte, spaces};
use std::cmp::Reverse;
use tokenizers::models::bpe::{Merges, Vocab};
use tokenizers::normalizers::{NormalizerWrapper, Prepend, Sequence};

pub(super) fn parts(metadata: &Metadata) -> Result<Parts, TextError> {
    let vocabulary = Vocabulary::read(metadata)?;
    let prefix = metadata.boolean("tokenizer.ggml.add_space_prefix")?;
    let prefix = prefix.unwrap_or(true);
    let spelling = Spelling::SentencePiece {
        strip_space: prefix,
    };
    let rules = Rules {
        normalizers: vec![normalizer(prefix)?.into()],
        byte_fallback: true,
        fuse_unknown: true,
        unknown: unknown(&vocabulary),
        ..Rules::default()
    };
    let adds_bos = |said: Option<bool>| said.unwrap_or(true);
    let marks = super::marks(metadata, &vocabulary, defaults(&vocabulary), adds_bos)?;
    let mut parts = vocabulary.parts(spelling, rules, marks)?;
    if parts.rules.unknown.is_none() && !all_bytes(&vocabulary) {
        let expected = "an unknown token, or a token for each of the 256 bytes";
        return Err(metadata.unfit(UNKNOWN, "missing", expected).into());
    }
    parts.merges = merges(&vocabulary, &parts.vocab)?;
    Ok(parts)
}

/// The rules of SentencePiece's `identity` normalizer as these models use it: spaces become `▁`,
/// and one more precedes the text.
fn normalizer(prefix: bool) -> Result<NormalizerWrapper, TextError> {
    let first = prefix.then(|| NormalizerWrapper::Prepend(Prepend::new("▁".to_owned())));
    let steps = first.into_iter().chain([spaces()?]).collect();
    Ok(NormalizerWrapper::Sequence(Sequence::new(steps)))
}

/// SentencePiece's own numbers for `<s>` and `</s>`, if these are control tokens.
fn defaults(vocabulary: &Vocabulary<'_>) -> Marks {
    let control = |id| (vocabulary.kind(id) == Some(Kind::Control)).then_some(id);
    Marks {
        bos: control(1),
        eos: control(2),
        ..Marks::default()
    }
}

/// The text of the unknown token: by the file's key, else by its type.
fn unknown(vocabulary: &Vocabulary<'_>) -> Option<String> {
    let is_unknown = |id: &u32| vocabulary.kind(*id) == Some(Kind::Unknown);
    let named = vocabulary.id(UNKNOWN).filter(is_unknown);
    let id = named.or_else(|| vocabulary.first_unknown());
    let text = id.and_then(|id| vocabulary.text(id));
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

fn all_bytes(vocabulary: &Vocabulary<'_>) -> bool {
    let mut seen = [false; 256];
    for (_, text, kind) in vocabulary.iter() {
        if kind == Kind::Byte
            && let Some(byte) = fallback_byte(text)
        {
            seen[usize::from(byte)] = true;
        }
    }
    seen.iter().all(|&seen| seen)
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
fn merges(vocabulary: &Vocabulary<'_>, vocab: &Vocab) -> Result<Merges, WeightsError> {
    let scores = vocabulary.scores()?;
    // Unknown and byte tokens are in the vocabulary too, but their spelling is not text.
    let normal = |text: &str| {
        let id = vocab.get(text).copied();
        id.filter(|&id| vocabulary.kind(id) == Some(Kind::Normal))
    };
    let mut ranked: Vec<Ranked> = Vec::new();
    for ((_, text, kind), &score) in vocabulary.iter().zip(scores.iter()) {
        if kind != Kind::Normal {
            continue;
        }
        vocabulary.check_length(text)?;
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
            return Err(vocabulary.unfit("a vocabulary that gives more", expected));
        }
        ranked[begin..].sort_unstable_by_key(|merge| (merge.left, merge.right));
    }
    ranked.sort_by(|a, b| {
        let lengths = |merge: &Ranked| Reverse((merge.left_characters, merge.right_characters));
        b.score
            .total_cmp(&a.score)
            .then_with(|| lengths(a).cmp(&lengths(b)))
    });
    let text = |id| vocabulary.text(id).unwrap_or_default().to_owned();
    let merges = ranked.iter();
    Ok(merges
        .map(|merge| (text(merge.left), text(merge.right)))
        .collect())
}
