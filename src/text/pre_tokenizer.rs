//! The pre-tokenizers that GGUF files name: the rules that cut a text into words, within which
//! merges happen.
//!
//! The names are llama.cpp's
//! (<https://github.com/ggml-org/llama.cpp/blob/master/src/llama-vocab.cpp>). The rules are those
//! of `transformers` (`integrations/gguf/gguf_tokenizer_mapping.py`), or else of the models' own
//! `tokenizer.json`.
//!
//! The two differ for `smollm`. `transformers`, and so kvscope and its recorded reference, cut a
//! text as GPT-2 does. SmolLM2's own file and llama.cpp cut off every digit first. No merge of
//! SmolLM2's has a digit. Only two or more white space characters before a digit, and numerals
//! other than 0 to 9, give other tokens.

use super::TextError;
use super::parts::Rules;
use crate::quoted::quoted;
use tokenizers::SplitDelimiterBehavior::Isolated;
use tokenizers::normalizers::{NFC, NormalizerWrapper};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};

/// A set of rules that cut text into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PreTokenizer {
    /// GPT-2's: letters, digits, others, each with a space before; contractions.
    Gpt2,
    /// GPT-2's, after cutting off every digit by itself.
    Digits,
    /// Llama 3's: up to three digits, contractions in either case, line breaks by themselves.
    Llama3,
    /// Llama 3's words, made tokens by merges alone.
    Smaug,
    /// Llama 3's with every digit by itself, on composed characters.
    Qwen2,
    /// Mistral's: words also end where capitals begin.
    Tekken,
}

/// All names in use, with their rules.
const NAMES: [(&str, PreTokenizer); 14] = [
    ("default", PreTokenizer::Gpt2),
    ("gpt-2", PreTokenizer::Gpt2),
    ("smollm", PreTokenizer::Gpt2),
    ("starcoder", PreTokenizer::Digits),
    ("refact", PreTokenizer::Digits),
    ("llama-bpe", PreTokenizer::Llama3),
    ("llama3", PreTokenizer::Llama3),
    ("llama-v3", PreTokenizer::Llama3),
    ("falcon3", PreTokenizer::Llama3),
    ("smaug-bpe", PreTokenizer::Smaug),
    ("qwen2", PreTokenizer::Qwen2),
    ("deepseek-r1-qwen", PreTokenizer::Qwen2),
    ("stablelm2", PreTokenizer::Qwen2),
    ("tekken", PreTokenizer::Tekken),
];

const LLAMA3: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const QWEN2: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const TEKKEN: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);

impl PreTokenizer {
    /// The pre-tokenizer of a `tokenizer.ggml.pre` name.
    pub(super) fn named(name: &str) -> Result<Self, TextError> {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found.map(|&(_, found)| found).ok_or_else(|| {
            let known: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
            TextError::unsupported("tokenizer.ggml.pre", quoted(name), known.join(", "))
        })
    }

    /// Returns whether prompts begin with the BOS token if the file does not say.
    pub(super) fn adds_bos(self) -> bool {
        matches!(self, Self::Llama3 | Self::Tekken)
    }

    pub(super) fn rules(self) -> Result<Rules, TextError> {
        let pre_tokenizer = match self {
            Self::Gpt2 => byte_level(true),
            Self::Digits => after(Digits::new(true).into(), true),
            Self::Llama3 | Self::Smaug => after(split(LLAMA3)?, false),
            Self::Qwen2 => after(split(QWEN2)?, false),
            Self::Tekken => after(split(TEKKEN)?, false),
        };
        Ok(Rules {
            normalizer: (self == Self::Qwen2).then_some(NormalizerWrapper::NFC(NFC)),
            pre_tokenizer: Some(pre_tokenizer),
            ignore_merges: matches!(self, Self::Llama3 | Self::Tekken),
            ..Rules::default()
        })
    }
}

/// Bytes as GPT-2's alphabet, cut by its regular expression or not at all.
fn byte_level(cut: bool) -> PreTokenizerWrapper {
    PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, true, cut))
}

fn after(first: PreTokenizerWrapper, cut: bool) -> PreTokenizerWrapper {
    PreTokenizerWrapper::Sequence(Sequence::new(vec![first, byte_level(cut)]))
}

fn split(pattern: &str) -> Result<PreTokenizerWrapper, TextError> {
    let pattern = SplitPattern::Regex(pattern.to_owned());
    let split = Split::new(pattern, Isolated, false).map_err(TextError::encode)?;
    Ok(PreTokenizerWrapper::Split(split))
}
