//! The parts of a tokenizer, from either kind of file.

use super::TextError;
use super::added::{Added, AddedTokens, Kind};
use super::charsmap::{Charsmap, Spaces};
use super::spelling::Spelling;
use std::mem::take;
use tokenizers::models::bpe::{BPE, BpeBuilder, Merges, Vocab};
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::{Model, NormalizedString, Normalizer, Token};

/// Tokens that end a turn, whatever their files say: llama.cpp's names, and two more
/// (<https://github.com/ggml-org/llama.cpp/blob/master/src/llama-vocab.cpp>).
const ENDS: [&str; 23] = [
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    END,
    "<|end_of_turn|>",
    "<end_of_turn>",
    "<|eot|>",
    "<｜end▁of▁sentence｜>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<eos>",
    "<end_of_utterance>",
    RETURN,
    CALL,
    CALLS,
    FLUSH,
    "<turn|>",
    TOOL_RESPONSE,
    "[e~[",
];
const END: &str = "<|end|>";
const RETURN: &str = "<|return|>";
const CALL: &str = "<|call|>";
const CALLS: &str = "<|calls|>";
const FLUSH: &str = "<|flush|>";
const TOOL_RESPONSE: &str = "<|tool_response>";

/// The one name that is an end only where the file says that it is a control token. In the
/// vocabularies of Qwen2.5 and Gemma it is HTML.
pub(super) const STRUCK: &str = "</s>";

/// Returns whether a token of this text ends a turn. Text never becomes such a token, even where a
/// file says otherwise.
pub(super) fn ends_a_turn(text: &str) -> bool {
    ENDS.contains(&text)
}

/// The rules that turn a text without control tokens into tokens.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// Done in turn, before words are cut.
    pub(super) normalizers: Vec<Normalization>,
    pub(super) pre_tokenizer: Option<PreTokenizerWrapper>,
    pub(super) ignore_merges: IgnoreMerges,
    /// Characters without a token become tokens of bytes.
    pub(super) byte_fallback: bool,
    /// The token for characters that have none; `fuse_unknown` makes one of several in a row.
    pub(super) unknown: Option<String>,
    pub(super) fuse_unknown: bool,
}

/// Words that need no merges if they are tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum IgnoreMerges {
    #[default]
    Never,
    /// Those of nothing but line breaks.
    OfLineBreaks,
    Always,
}

/// One step of a text's normalization.
#[derive(Debug)]
pub(super) enum Normalization {
    /// One of the crate's.
    Known(NormalizerWrapper),
    /// SentencePiece's map of characters.
    Charsmap(Charsmap),
    /// SentencePiece's spaces.
    Spaces(Spaces),
}

impl From<NormalizerWrapper> for Normalization {
    fn from(known: NormalizerWrapper) -> Self {
        Self::Known(known)
    }
}

impl Normalization {
    pub(super) fn normalize(&self, piece: &mut NormalizedString) -> tokenizers::Result<()> {
        let text = match self {
            Self::Known(normalizer) => return normalizer.normalize(piece),
            Self::Charsmap(charsmap) => charsmap.replaced(piece.get()),
            Self::Spaces(spaces) => spaces.escaped(piece.get()),
        };
        // Nobody asks for the places of tokens in the text.
        *piece = NormalizedString::from(text);
        Ok(())
    }
}

/// The model that makes tokens of a word.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one per tokenizer")]
pub(super) enum WordModel {
    Bpe(BPE),
    Unigram(Unigram),
}

impl WordModel {
    pub(super) fn tokenize(&self, word: &str, rules: &Rules) -> tokenizers::Result<Vec<Token>> {
        match self {
            Self::Bpe(model) => {
                let is_exempt = rules.ignore_merges == IgnoreMerges::OfLineBreaks
                    && word.bytes().all(|byte| byte == b'\n');
                match model.token_to_id(word).filter(|_| is_exempt) {
                    Some(id) => Ok(vec![Token::new(id, word.to_owned(), (0, word.len()))]),
                    None => model.tokenize(word),
                }
            }
            Self::Unigram(model) => model.tokenize(word),
        }
    }

    /// The text of a token of this model.
    pub(super) fn text(&self, id: u32) -> Option<String> {
        match self {
            Self::Bpe(model) => model.id_to_token(id),
            // Those that no text leads to are there without a text, to keep the numbers.
            Self::Unigram(model) => model.id_to_token(id).filter(|text| !text.is_empty()),
        }
    }
}

/// The tokens with a meaning of their own.
#[derive(Debug, Clone, Default)]
pub(super) struct Marks {
    pub(super) bos: Option<u32>,
    pub(super) eos: Option<u32>,
    /// Tokens that end a turn beside `eos`.
    pub(super) ends: Vec<u32>,
    /// Prompts begin with `bos`.
    pub(super) add_bos: bool,
}

impl Marks {
    /// All tokens that end a turn, in order.
    pub(super) fn stops(&self, added: &AddedTokens) -> Vec<u32> {
        let has = |text: &str| added.id(text).is_some();
        // There it ends a message within a turn.
        let within = has(END)
            && (has(RETURN) && (has(CALL) || has(CALLS))
                || has(FLUSH) && (has(CALL) || has(CALLS)));
        let known = added.iter().filter(|(_, token)| match token.text.as_str() {
            END => !within,
            STRUCK => token.kind == Kind::Control && !has(TOOL_RESPONSE),
            text => ends_a_turn(text),
        });
        let mut stops: Vec<u32> = known
            .map(|(id, _)| id)
            .chain(self.eos)
            .chain(self.ends.iter().copied())
            .collect();
        stops.sort_unstable();
        stops.dedup();
        stops
    }
}

/// Everything a tokenizer is built from.
pub(super) struct Parts {
    /// Tokens that merges lead to. It has no control tokens, so that no text ever becomes one.
    pub(super) vocab: Vocab,
    pub(super) merges: Merges,
    /// Logarithms of the tokens' probabilities, in a unigram model, which has no merges.
    pub(super) scores: Option<Vec<f64>>,
    pub(super) added: AddedTokens,
    /// One more than the highest token number.
    pub(super) vocabulary: usize,
    pub(super) spelling: Spelling,
    pub(super) rules: Rules,
    pub(super) marks: Marks,
    /// Source of the chat template, or the error of every chat.
    pub(super) template: Option<Result<String, TextError>>,
}

impl Parts {
    /// Inserts a token by its kind: text into the vocabulary, tokens added whole among the added
    /// ones. Returns `false` if this text is taken.
    #[must_use]
    pub(super) fn insert(&mut self, id: u32, token: Added) -> bool {
        let kind = token.kind;
        let mergeable = match kind {
            Kind::Normal | Kind::Byte => true,
            Kind::Unknown => self.rules.unknown.as_ref() == Some(&token.text),
            // In a byte-level vocabulary, merges may lead on through it.
            Kind::UserDefined | Kind::Lookalike => self.spelling == Spelling::ByteLevel,
            Kind::Control | Kind::Unused => false,
        };
        let whole = !matches!(kind, Kind::Normal | Kind::Byte);
        if self.vocab.contains_key(&token.text) || self.added.id(&token.text).is_some() {
            return false;
        }
        if mergeable {
            self.vocab.insert(token.text.clone(), id);
        }
        !whole || self.added.insert(id, token)
    }

    /// Returns whether merges may start from or lead to a token of this text.
    pub(super) fn merges_through(&self, text: &str) -> bool {
        let unknown = self.rules.unknown.as_deref() == Some(text);
        self.vocab.contains_key(text) && !unknown
    }

    /// Takes the vocabulary and its merges or scores out of these parts, as a model.
    pub(super) fn take_model(&mut self) -> Result<WordModel, TextError> {
        if let Some(scores) = self.scores.take() {
            return self.take_unigram(&scores).map(WordModel::Unigram);
        }
        let (vocab, merges) = (take(&mut self.vocab), take(&mut self.merges));
        let rules = &self.rules;
        // The crate's own cache of words is shared by all tokenizers of a thread and never emptied.
        // It would grow with each model loaded.
        let mut builder = BpeBuilder::new()
            .cache_capacity(0)
            .vocab_and_merges(vocab, merges)
            .ignore_merges(rules.ignore_merges == IgnoreMerges::Always)
            .byte_fallback(rules.byte_fallback)
            .fuse_unk(rules.fuse_unknown);
        if let Some(unknown) = &rules.unknown {
            builder = builder.unk_token(unknown.clone());
        }
        let model = builder.build();
        model.map(WordModel::Bpe).map_err(unfit)
    }

    fn take_unigram(&mut self, scores: &[f64]) -> Result<Unigram, TextError> {
        let mut vocab = take(&mut self.vocab);
        let unknown = self.rules.unknown.as_deref();
        let listed = unknown.and_then(|text| vocab.remove(text));
        let unknown = listed.or_else(|| self.added.id(unknown?));
        let mut pieces: Vec<(String, f64)> =
            scores.iter().map(|&score| (String::new(), score)).collect();
        for (text, id) in vocab {
            if let Some(piece) = pieces.get_mut(id as usize) {
                piece.0 = text;
            }
        }
        let unknown = unknown.map(|id| id as usize);
        let model = Unigram::from(pieces, unknown, self.rules.byte_fallback);
        let mut model = model.map_err(unfit)?;
        model.resize_cache(0);
        Ok(model)
    }
}

fn unfit(error: impl std::fmt::Display) -> TextError {
    TextError::malformed("the vocabulary", error, "one that fits")
}
