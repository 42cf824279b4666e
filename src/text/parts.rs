//! The parts of a tokenizer, from either kind of file.

use super::TextError;
use super::added::{Added, AddedTokens, Kind};
use super::spelling::Spelling;
use std::mem::take;
use tokenizers::models::bpe::{BPE, BpeBuilder, Merges, Vocab};
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;

/// Control tokens that end a turn in the models that kvscope runs, whatever else their files say.
const ENDS: [&str; 12] = [
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|end|>",
    "<|end_of_turn|>",
    "<end_of_turn>",
    "<|eot|>",
    "</s>",
    "<｜end▁of▁sentence｜>",
    "<EOT>",
];

/// Returns whether a token of this text ends a turn. Text never becomes such a token, even where a
/// file says otherwise.
pub(super) fn ends_a_turn(text: &str) -> bool {
    ENDS.contains(&text)
}

/// The rules that turn a text without control tokens into tokens.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) normalizer: Option<NormalizerWrapper>,
    pub(super) pre_tokenizer: Option<PreTokenizerWrapper>,
    /// A piece that is a token needs no merges.
    pub(super) ignore_merges: bool,
    /// Characters without a token become tokens of bytes.
    pub(super) byte_fallback: bool,
    /// The token for characters that have none; `fuse_unknown` makes one of several in a row.
    pub(super) unknown: Option<String>,
    pub(super) fuse_unknown: bool,
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
        let known = added.iter();
        let known = known.filter(|(_, token)| ends_a_turn(&token.text));
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
    pub(super) added: AddedTokens,
    /// One more than the highest token number.
    pub(super) vocabulary: usize,
    pub(super) spelling: Spelling,
    pub(super) rules: Rules,
    pub(super) marks: Marks,
    pub(super) template: Option<String>,
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
            Kind::UserDefined => self.spelling == Spelling::ByteLevel,
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

    /// Takes the vocabulary and its merges out of these parts, as a model.
    pub(super) fn take_model(&mut self) -> Result<BPE, TextError> {
        let (vocab, merges) = (take(&mut self.vocab), take(&mut self.merges));
        let rules = &self.rules;
        // The crate's own cache of words is shared by all tokenizers of a thread and never emptied.
        // It would grow with each model loaded.
        let mut builder = BpeBuilder::new()
            .cache_capacity(0)
            .vocab_and_merges(vocab, merges)
            .ignore_merges(rules.ignore_merges)
            .byte_fallback(rules.byte_fallback)
            .fuse_unk(rules.fuse_unknown);
        if let Some(unknown) = &rules.unknown {
            builder = builder.unk_token(unknown.clone());
        }
        let model = builder.build();
        model.map_err(|error| TextError::malformed("the vocabulary", error, "one that fits"))
    }
}
