//! Tokenizers from Hugging Face's `tokenizer.json` and `tokenizer_config.json`
//! (<https://huggingface.co/docs/tokenizers/pipeline>).

mod config;
mod file;
mod steps;

use super::TextError;
use super::added::{Added, Kind};
use super::limits::{MAX_JSON_BYTES, MAX_MERGES, MAX_PIECE_BYTES, MAX_TOKENS};
use super::parts::{IgnoreMerges, Marks, Parts, Rules, ends_a_turn};
use super::tokenizer::TokenizerFiles;
use crate::quoted::quoted;
use config::{Config, Ends};
use file::{AddedToken, File, Merge, Model};
use serde::de::DeserializeOwned;
use tokenizers::models::bpe::Merges;

const FILE: &str = "tokenizer.json";
const CONFIG: &str = "tokenizer_config.json";

/// Reads and checks everything.
pub(super) fn parts(files: &TokenizerFiles<'_>) -> Result<Parts, TextError> {
    let config = files
        .tokenizer_config
        .map(|bytes| read::<Config>(CONFIG, bytes));
    let config = config.transpose()?.unwrap_or_default();
    let File {
        added_tokens,
        normalizer,
        pre_tokenizer,
        post_processor,
        decoder,
        model,
    } = read(FILE, files.tokenizer)?;
    model.check()?;
    let vocabulary = model.vocabulary(&added_tokens)?;
    let begins = steps::first_token(post_processor.as_ref());
    let bos_text = begins.as_deref().or(config.bos());
    let eos_text = config.eos();
    let is_mark =
        |text: &str| ends_a_turn(text) || Some(text) == bos_text || Some(text) == eos_text;
    let unknown = model.unknown()?.filter(|text| !is_mark(text));
    let mut parts = Parts {
        vocab: model.vocab.tokens,
        merges: Merges::new(),
        scores: model.vocab.scores,
        added: Default::default(),
        vocabulary,
        spelling: steps::spelling(decoder.as_ref())?,
        rules: Rules {
            normalizers: steps::normalizers(normalizer)?,
            pre_tokenizer: steps::pre_tokenizer(pre_tokenizer)?,
            ignore_merges: match model.ignore_merges {
                true => IgnoreMerges::Always,
                false => IgnoreMerges::Never,
            },
            byte_fallback: model.byte_fallback,
            fuse_unknown: model.fuse_unk,
            unknown,
        },
        marks: Marks::default(),
        template: match files.chat_template {
            Some(source) => Some(Ok(String::from_utf8_lossy(source).into_owned())),
            None => config.template().transpose(),
        },
    };
    for token in added_tokens {
        add(&mut parts, token, is_mark)?;
    }
    // A mark that the file lists only among the pieces of text.
    for text in [bos_text, eos_text].into_iter().flatten() {
        if let Some(id) = parts.vocab.get(text).copied() {
            replace(&mut parts, id, Added::new(text, Kind::Control))?;
        }
    }
    if let Some(unknown) = &parts.rules.unknown
        && !parts.vocab.contains_key(unknown)
    {
        let expected = "a token of the vocabulary";
        return Err(TextError::malformed(
            "the unknown token",
            quoted(unknown),
            expected,
        ));
    }
    let bos = bos_text.and_then(|text| parts.added.id(text));
    parts.marks = Marks {
        bos,
        eos: eos_text.and_then(|text| parts.added.id(text)),
        ends: ends(files, parts.vocabulary),
        add_bos: bos.is_some() && begins.is_some(),
    };
    parts.merges = merges(&parts, model.merges)?;
    Ok(parts)
}

/// The tokens that a model's configurations name as ends. They need not be control tokens.
fn ends(files: &TokenizerFiles<'_>, tokens: usize) -> Vec<u32> {
    let named = [
        ("config.json", files.config),
        ("generation_config.json", files.generation_config),
    ];
    let ends = named.into_iter().filter_map(|(name, bytes)| {
        let ends = read::<Ends>(name, bytes?);
        // The model's sizes are read from the first by others; the second is a matter of taste.
        let ends = ends.inspect_err(|error| log::warn!("{name} is passed over: {error}"));
        Some(ends.ok()?.ids(name, tokens))
    });
    ends.flatten().collect()
}

fn read<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, TextError> {
    if bytes.len() > MAX_JSON_BYTES {
        let found = format!("{} bytes long", bytes.len());
        let expected = format!("at most {MAX_JSON_BYTES} bytes");
        return Err(TextError::malformed(name, found, expected));
    }
    serde_json::from_slice(bytes).map_err(|error| TextError::unreadable(name, &error))
}

/// Inserts a token that was added whole.
fn add(
    parts: &mut Parts,
    token: AddedToken,
    is_mark: impl Fn(&str) -> bool,
) -> Result<(), TextError> {
    let text = token.content;
    let what = || format!("the added token {}", quoted(&text));
    if token.single_word {
        let supported = "tokens that are found anywhere";
        return Err(TextError::unsupported(
            what(),
            "found as a whole word only",
            supported,
        ));
    }
    if text.is_empty() {
        return Err(TextError::malformed(what(), "empty", "text"));
    }
    let kind = if parts.rules.unknown.as_ref() == Some(&text) {
        Kind::Unknown
    } else if token.special || is_mark(&text) {
        Kind::Control
    } else {
        Kind::UserDefined
    };
    if let Some(&listed) = parts.vocab.get(&text)
        && listed != token.id
    {
        let expected = format!("{listed}, as in the vocabulary");
        return Err(TextError::malformed(what(), token.id, expected));
    }
    let added = Added {
        strips_before: token.lstrip,
        strips_behind: token.rstrip,
        ..Added::new(&text, kind)
    };
    replace(parts, token.id, added)
}

/// Inserts a token by its kind; if it is a piece of text already, removes that first.
fn replace(parts: &mut Parts, id: u32, added: Added) -> Result<(), TextError> {
    let text = added.text.clone();
    parts.vocab.remove(&text);
    if parts.insert(id, added) {
        return Ok(());
    }
    let found = format!("{} or its number {id} twice", quoted(&text));
    Err(TextError::malformed("the added tokens", found, "each once"))
}

/// The merges between tokens that text may lead to. Refuses a merge of anything that is not a
/// token.
fn merges(parts: &Parts, written: Vec<Merge>) -> Result<Merges, TextError> {
    let mut merges = Merges::with_capacity(written.len());
    for merge in written {
        let (left, right) = merge.pair()?;
        let together = [left.as_str(), right.as_str()].concat();
        let merging = [&left, &right, &together];
        if merging.iter().all(|token| parts.merges_through(token)) {
            merges.push((left, right));
        } else if let Some(token) = merging.iter().find(|token| {
            !parts.vocab.contains_key(token.as_str()) && parts.added.id(token).is_none()
        }) {
            let expected = "tokens of the vocabulary that make another";
            return Err(TextError::malformed(
                "a merge's token",
                quoted(token),
                expected,
            ));
        }
    }
    Ok(merges)
}

impl Model {
    /// Refuses what kvscope does not know, and unreasonable counts.
    fn check(&self) -> Result<(), TextError> {
        let kind = self.kind.as_deref().unwrap_or("BPE");
        match (kind, &self.vocab.scores) {
            ("BPE", None) | ("Unigram", Some(_)) => {}
            ("BPE" | "Unigram", _) => {
                let found = format!("{} with another model's vocabulary", quoted(kind));
                let what = "the model's type";
                return Err(TextError::unsupported(what, found, "BPE and Unigram"));
            }
            _ => {
                let what = "the model's type";
                return Err(TextError::unsupported(
                    what,
                    quoted(kind),
                    "BPE and Unigram",
                ));
            }
        }
        if let Some(text) = &self.vocab.twice {
            let what = format!("the token {}", quoted(text));
            return Err(TextError::malformed(what, "there twice", "each token once"));
        }
        let mut scores = self.vocab.scores.iter().flatten();
        if let Some(score) = scores.find(|score| !score.is_finite()) {
            return Err(TextError::malformed(
                "a token's score",
                score,
                "a finite one",
            ));
        }
        let mut pieces = self.vocab.tokens.keys();
        if kind == "Unigram"
            && let Some(piece) = pieces.find(|piece| piece.len() > MAX_PIECE_BYTES)
        {
            let expected = format!("at most {MAX_PIECE_BYTES} bytes");
            return Err(TextError::malformed("a token", quoted(piece), expected));
        }
        let affixes = [&self.continuing_subword_prefix, &self.end_of_word_suffix];
        let affix = affixes
            .into_iter()
            .flatten()
            .find(|affix| !affix.is_empty());
        if let Some(affix) = affix {
            let supported = "pieces without a prefix or suffix";
            return Err(TextError::unsupported(
                "a mark on pieces",
                quoted(affix),
                supported,
            ));
        }
        if let Some(dropout) = self.dropout.filter(|&dropout| dropout != 0.0) {
            let supported = "merges without it";
            return Err(TextError::unsupported(
                "the model's dropout",
                dropout,
                supported,
            ));
        }
        if self.merges.len() > MAX_MERGES {
            let expected = format!("at most {MAX_MERGES}");
            return Err(TextError::malformed(
                "the number of merges",
                self.merges.len(),
                expected,
            ));
        }
        Ok(())
    }

    /// The text of the unknown token.
    fn unknown(&self) -> Result<Option<String>, TextError> {
        let Some(place) = self.unk_id else {
            return Ok(self.unk_token.clone());
        };
        let mut tokens = self.vocab.tokens.iter();
        let found = tokens.find(|(_, id)| **id as usize == place);
        let text = found.map(|(text, _)| text.clone());
        let expected = "a token's place in the vocabulary";
        let error = || TextError::malformed("unk_id", place, expected);
        text.map(Some).ok_or_else(error)
    }

    /// One more than the highest token number, after checking all numbers.
    fn vocabulary(&self, added: &[AddedToken]) -> Result<usize, TextError> {
        let mut used = Vec::new();
        let listed = self.vocab.tokens.iter().map(|(text, &id)| (text, id));
        let mut claim = |text: &str, id: u32| {
            let what = || format!("the number of token {}", quoted(text));
            let place = id as usize;
            if place >= MAX_TOKENS {
                return Err(TextError::malformed(
                    what(),
                    id,
                    format!("below {MAX_TOKENS}"),
                ));
            }
            if place >= used.len() {
                used.resize(place + 1, false);
            }
            if std::mem::replace(&mut used[place], true) {
                return Err(TextError::malformed(what(), id, "a number of its own"));
            }
            Ok(())
        };
        for (text, id) in listed {
            claim(text, id)?;
        }
        for token in added {
            if !self.vocab.tokens.contains_key(&token.content) {
                claim(&token.content, token.id)?;
            }
        }
        match used.len() {
            0 => Err(TextError::malformed("the vocabulary", "empty", "tokens")),
            length => Ok(length),
        }
    }
}
