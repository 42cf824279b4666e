//! The steps of a `tokenizer.json`: only known ones pass, checked before `tokenizers` sees them.

use crate::quoted::quoted;
use crate::text::TextError;
use crate::text::charsmap::{Charsmap, from_base64};
use crate::text::parts::Normalization;
use crate::text::spelling::Spelling;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;

const NORMALIZERS: [&str; 12] = [
    "Sequence",
    "Precompiled",
    "Strip",
    "Nmt",
    "Prepend",
    "Replace",
    "NFC",
    "NFD",
    "NFKC",
    "NFKD",
    "Lowercase",
    "StripAccents",
];
const PRE_TOKENIZERS: [&str; 7] = [
    "Sequence",
    "ByteLevel",
    "Split",
    "Digits",
    "Metaspace",
    "Punctuation",
    "WhitespaceSplit",
];
/// Most bytes in a regular expression; known ones have about 300.
const MAX_PATTERN_BYTES: usize = 4096;
/// Largest product of a regular expression's counts, such as `{1,3}`: it bounds the compiled size.
const MAX_REPEATS: u64 = 1000;

/// The normalizer's steps. SentencePiece's map is read here: the crate's own believes it.
pub(super) fn normalizers(step: Option<Json>) -> Result<Vec<Normalization>, TextError> {
    let steps = match step {
        Some(Json::Object(mut sequence)) if sequence.contains_key("normalizers") => {
            match sequence.remove("normalizers") {
                Some(Json::Array(steps)) => steps,
                _ => return Err(TextError::malformed("normalizer", "a Sequence", "a list")),
            }
        }
        step => step.into_iter().collect(),
    };
    let mut normalizers = Vec::new();
    for step in steps {
        if step.get("type").and_then(Json::as_str) == Some("Precompiled") {
            let map = step.get("precompiled_charsmap").and_then(Json::as_str);
            let bytes = from_base64(map.unwrap_or_default());
            let map = bytes.map(|bytes| match bytes.is_empty() {
                true => Ok(None),
                false => Charsmap::read(&bytes).map(Some),
            });
            let Some(Ok(map)) = map else {
                let found = "Precompiled with a map that can't be read";
                return Err(TextError::unsupported(
                    "normalizer",
                    found,
                    "SentencePiece's",
                ));
            };
            normalizers.extend(map.map(Normalization::Charsmap));
        } else if parts(&step).iter().any(|(kind, _)| *kind == "Precompiled") {
            let what = "a Sequence within a Sequence";
            return Err(TextError::unsupported("normalizer", what, "a map in none"));
        } else {
            normalizers.extend(checked("normalizer", Some(step), &NORMALIZERS)?.map(known));
        }
    }
    Ok(normalizers)
}

fn known(step: NormalizerWrapper) -> Normalization {
    step.into()
}

pub(super) fn pre_tokenizer(step: Option<Json>) -> Result<Option<PreTokenizerWrapper>, TextError> {
    checked("pre-tokenizer", step, &PRE_TOKENIZERS)
}

fn checked<T: DeserializeOwned>(
    what: &str,
    step: Option<Json>,
    known: &[&str],
) -> Result<Option<T>, TextError> {
    let Some(step) = step.filter(|step| !step.is_null()) else {
        return Ok(None);
    };
    for (kind, step) in parts(&step) {
        if !known.contains(&kind) {
            return Err(TextError::unsupported(what, quoted(kind), known.join(", ")));
        }
        if let Some(Json::String(pattern)) = step.pointer("/pattern/Regex") {
            bounded(pattern)?;
        }
    }
    let step = serde_json::from_value(step);
    let step = step.map_err(|error| TextError::unreadable(what, &error))?;
    Ok(Some(step))
}

/// A step's type and the step; of a sequence, also those of all its steps.
fn parts(step: &Json) -> Vec<(&str, &Json)> {
    let kind = step.get("type").and_then(Json::as_str).unwrap_or_default();
    let keys = ["normalizers", "pretokenizers", "decoders", "processors"];
    let inner = keys.iter().filter_map(|key| step.get(key)?.as_array());
    let inner = inner.flatten().flat_map(parts);
    [(kind, step)].into_iter().chain(inner).collect()
}

/// Refuses a regular expression that would take much memory.
fn bounded(pattern: &str) -> Result<(), TextError> {
    let mut repeats = 1_u64;
    for group in pattern.split('{').skip(1) {
        let counts = group.split('}').next().unwrap_or_default();
        let counts = counts
            .split(',')
            .filter_map(|count| count.trim().parse().ok());
        repeats = repeats.saturating_mul(counts.max().unwrap_or(1).max(1));
    }
    if pattern.len() > MAX_PATTERN_BYTES || repeats > MAX_REPEATS {
        let supported = format!("up to {MAX_PATTERN_BYTES} bytes and {MAX_REPEATS} repeats in all");
        return Err(TextError::unsupported(
            "a regular expression",
            quoted(pattern),
            supported,
        ));
    }
    Ok(())
}

/// The spelling that the decoder reads the tokens' texts by.
pub(super) fn spelling(decoder: Option<&Json>) -> Result<Spelling, TextError> {
    const KNOWN: &str = "ByteLevel, Metaspace, or a Sequence of Replace (▁ by a space), ByteFallback, Fuse and Strip (a space)";
    let unsupported = |found: &str| TextError::unsupported("the decoder", quoted(found), KNOWN);
    let decoder = decoder.filter(|step| !step.is_null());
    let steps = decoder.map(parts).ok_or_else(|| unsupported("none"))?;
    let has = |kind| steps.iter().any(|(found, _)| *found == kind);
    let mut strip_space = false;
    for &(kind, step) in &steps {
        let text = |key| step.get(key).and_then(Json::as_str);
        let number = |key| step.get(key).and_then(Json::as_u64);
        match kind {
            "ByteLevel" | "Sequence" | "ByteFallback" | "Fuse" => {}
            "Metaspace" if text("replacement") == Some("▁") => {
                let always = step.get("add_prefix_space") != Some(&Json::Bool(false));
                strip_space |= always && text("prepend_scheme") != Some("never");
            }
            "Replace" => {
                let from = step.pointer("/pattern/String").and_then(Json::as_str);
                if from != Some("▁") || text("content") != Some(" ") {
                    return Err(unsupported("Replace of something else"));
                }
            }
            "Strip" => {
                if text("content") != Some(" ") || number("stop") != Some(0) {
                    return Err(unsupported("Strip of something else"));
                }
                match number("start") {
                    Some(0) => {}
                    Some(1) => strip_space = true,
                    _ => return Err(unsupported("Strip of several spaces")),
                }
            }
            other => return Err(unsupported(other)),
        }
    }
    match (has("ByteLevel"), has("Replace") || has("Metaspace")) {
        (true, false) => Ok(Spelling::ByteLevel),
        (false, true) => Ok(Spelling::SentencePiece { strip_space }),
        _ => Err(unsupported("a Sequence of others")),
    }
}

/// The token that the post-processor puts before a text: `TemplateProcessing`'s first, if it is
/// special.
pub(super) fn first_token(post_processor: Option<&Json>) -> Option<String> {
    let steps = parts(post_processor?);
    let mut templates = steps
        .iter()
        .filter(|(kind, _)| *kind == "TemplateProcessing");
    let token = templates.find_map(|(_, step)| step.pointer("/single/0/SpecialToken/id"));
    token.and_then(Json::as_str).map(str::to_owned)
}
