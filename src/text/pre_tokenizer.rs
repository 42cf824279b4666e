//! The pre-tokenizers that GGUF files name: the rules that cut a text into words, within which
//! merges happen.
//!
//! The names are llama.cpp's
//! (<https://github.com/ggml-org/llama.cpp/blob/master/src/llama-vocab.cpp>), without those of
//! models that only embed texts. The rules are those of the models' own `tokenizer.json`, as
//! llama.cpp quotes them. Only for `default`, which names no model, they are those of
//! `transformers`, GPT-2's.

use super::TextError;
use super::parts::{IgnoreMerges, Rules};
use super::spelling::{Spelling, spaces};
use crate::quoted::quoted;
use tokenizers::SplitDelimiterBehavior::Isolated;
use tokenizers::normalizers::{NFC, NormalizerWrapper};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};

/// A set of rules that cut text into words.
#[derive(Debug, Clone, Copy)]
pub(super) struct PreTokenizer {
    /// Names in files.
    names: &'static [&'static str],
    /// Regular expressions, each of which cuts what those before it have left whole.
    cuts: &'static [&'static str],
    /// Characters are composed first.
    composes: bool,
    /// Words that need no merges if they are tokens.
    ignore_merges: IgnoreMerges,
    adds_bos: AddsBos,
    /// Spelling of the tokens.
    spelling: Spelling,
}

/// Prompts that begin with the BOS token.
#[derive(Debug, Clone, Copy)]
enum AddsBos {
    /// Only if the file says so.
    IfSaid,
    /// Unless the file says otherwise.
    UnlessDenied,
    /// All: files that say otherwise are wrong. llama.cpp overrules them, too.
    Always,
}

/// Case-insensitive contractions of English.
macro_rules! contractions {
    () => {
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    };
}
/// Letters, with another character before them.
macro_rules! letters {
    () => {
        r"[^\r\n\p{L}\p{N}]?\p{L}+"
    };
}
/// Signs with line breaks after them, then white space.
macro_rules! others {
    () => {
        concat!(r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|", spaces!())
    };
}
macro_rules! spaces {
    () => {
        r"\s+(?!\S)|\s+"
    };
}
/// Words that end where capitals begin, each with `$end` at its end.
macro_rules! cased {
    ($end:expr) => {
        concat!(
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
            $end,
            r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
            $end
        )
    };
}
/// Signs with line breaks and slashes after them, then white space.
macro_rules! others_with_slashes {
    () => {
        concat!(r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|", spaces!())
    };
}

/// GPT-2's words: letters, digits, others, each with a space before; contractions.
const GPT2: &str = concat!(
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|",
    spaces!()
);
/// Llama 3's: up to three digits, contractions in either case, line breaks by themselves.
const LLAMA3: &str = concat!(contractions!(), "|", letters!(), r"|\p{N}{1,3}|", others!());
/// Llama 3's with every digit by itself.
const QWEN2: &str = concat!(contractions!(), "|", letters!(), r"|\p{N}|", others!());
/// GPT-4o's: words also end where capitals begin.
const GPT4O: &str = concat!(
    cased!(concat!(contractions!(), "?")),
    r"|\p{N}{1,3}|",
    others_with_slashes!()
);
const DIGIT: &str = r"\p{N}";
const THREE_DIGITS: &str = r"\p{N}{1,3}";
/// The Chinese and Japanese characters that DeepSeek-V3 cuts off.
const KANA: &str = "[\u{4e00}-\u{9fa5}\u{3040}-\u{309f}\u{30a0}-\u{30ff}]+";
/// DeepSeek-V3's words.
const DEEPSEEK3: &str = concat!(
    r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"##,
    r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|",
    spaces!()
);
/// Lines, and the breaks between them.
const LINES: &str = r"[^\n]+|[\n]+";
/// Everything up to a punctuation mark, of several scripts.
const BLOOM: &str = " ?[^(\\s|.,!?\u{2026}\u{3002}\u{ff0c}\u{3001}\u{964}\u{6d4}\u{60c})]+";

const BASE: PreTokenizer = PreTokenizer {
    names: &[],
    cuts: &[GPT2],
    composes: false,
    ignore_merges: IgnoreMerges::Never,
    adds_bos: AddsBos::IfSaid,
    spelling: Spelling::ByteLevel,
};

/// DeepSeek-LLM's, whose letters are those of scripts with two cases.
const DEEPSEEK: PreTokenizer = PreTokenizer {
    names: &["deepseek-llm"],
    cuts: &[
        "[\r\n]",
        concat!(
            r"\s?[",
            "A-Za-z\u{b5}\u{c0}-\u{d6}\u{d8}-\u{f6}\u{f8}-\u{1ba}\u{1bc}-\u{1bf}\u{1c4}-\u{293}",
            "\u{295}-\u{2af}\u{370}-\u{373}\u{376}\u{377}\u{37b}-\u{37d}\u{37f}\u{386}",
            "\u{388}-\u{38a}\u{38c}\u{38e}-\u{3a1}\u{3a3}-\u{3f5}\u{3f7}-\u{481}\u{48a}-\u{52f}",
            "\u{531}-\u{556}\u{10a0}-\u{10c5}\u{13a0}-\u{13f5}\u{13f8}-\u{13fd}",
            "\u{1c90}-\u{1cba}\u{1cbd}-\u{1cbf}\u{1d00}-\u{1d2b}\u{1d6b}-\u{1d77}",
            "\u{1d79}-\u{1d9a}\u{1e00}-\u{1f15}\u{1f18}-\u{1f1d}\u{1f20}-\u{1f45}",
            "\u{1f48}-\u{1f4d}\u{1f50}-\u{1f57}\u{1f59}\u{1f5b}\u{1f5d}\u{1f5f}-\u{1f7d}",
            "\u{1f80}-\u{1fb4}\u{1fb6}-\u{1fbc}\u{1fbe}\u{1fc2}-\u{1fc4}\u{1fc6}-\u{1fcc}",
            "\u{1fd0}-\u{1fd3}\u{1fd6}-\u{1fdb}\u{1fe0}-\u{1fec}\u{1ff2}-\u{1ff4}",
            "\u{1ff6}-\u{1ffc}\u{2102}\u{2107}\u{210a}-\u{2113}\u{2115}\u{2119}-\u{211d}",
            "\u{2124}\u{2126}\u{2128}\u{212a}-\u{212d}\u{212f}-\u{2134}\u{2139}\u{213c}-\u{213f}",
            "\u{2145}-\u{2149}\u{214e}\u{2183}\u{2184}\u{2c00}-\u{2c7b}\u{2c7e}-\u{2ce4}",
            "\u{2ceb}-\u{2cee}\u{2cf2}\u{2cf3}\u{a640}-\u{a66d}\u{a680}-\u{a69b}",
            "\u{a722}-\u{a76f}\u{a771}-\u{a787}\u{a78b}-\u{a78e}\u{ab70}-\u{abbf}",
            "\u{fb00}-\u{fb06}\u{fb13}-\u{fb17}\u{ff21}-\u{ff3a}\u{ff41}-\u{ff5a}",
            "\u{10400}-\u{1044f}\u{104b0}-\u{104d3}\u{104d8}-\u{104fb}\u{10c80}-\u{10cb2}",
            "\u{10cc0}-\u{10cf2}\u{118a0}-\u{118df}\u{1e900}-\u{1e943}",
            "]+"
        ),
        concat!(
            r"\s?[!-/:-~",
            "\u{ff01}-\u{ff0f}\u{ff1a}-\u{ff5e}\u{2018}-\u{201f}",
            "\u{3000}-\u{3002}]+"
        ),
        r"\s+$",
        "[\u{4e00}-\u{9fa5}\u{800}-\u{4e00}\u{ac00}-\u{d7ff}]+",
        r"\p{N}+",
    ],
    ..BASE
};

/// All names in use, with their rules.
const ALL: [PreTokenizer; 32] = [
    PreTokenizer {
        names: &[
            "default",
            "gpt-2",
            "phi-2",
            "gigachat",
            "a.x-4.0",
            "mellum",
            "exaone4",
            "mpt",
            "olmo",
            "jais",
            "trillion",
            "granite-docling",
            "jina-es",
            "jina-de",
            "jina-v2-es",
            "jina-v2-de",
            "jina-v1-en",
            "jina-v2-code",
            "modern-bert",
            "roberta-bpe",
        ],
        ..BASE
    },
    PreTokenizer {
        names: &[
            "smollm",
            "starcoder",
            "refact",
            "command-r",
            "codeshell",
            "exaone",
            "minerva-7b",
            "mellum2",
        ],
        cuts: &[DIGIT, GPT2],
        ..BASE
    },
    PreTokenizer {
        names: &[
            "llama-bpe",
            "llama3",
            "llama-v3",
            "falcon3",
            "falcon-h1",
            "pixtral",
            "midm-2.0",
            "lfm2",
            "jina-v5-nano",
        ],
        cuts: &[LLAMA3],
        ignore_merges: IgnoreMerges::Always,
        adds_bos: AddsBos::UnlessDenied,
        ..BASE
    },
    PreTokenizer {
        names: &["smaug-bpe", "dbrx", "glm4", "chatglm-bpe"],
        cuts: &[LLAMA3],
        ..BASE
    },
    PreTokenizer {
        names: &[
            "qwen2",
            "deepseek-r1-qwen",
            "stablelm2",
            "kormo",
            "f2llmv2",
            "megrez",
        ],
        cuts: &[QWEN2],
        composes: true,
        ..BASE
    },
    PreTokenizer {
        names: &["hunyuan", "solar-open", "grok-2"],
        cuts: &[QWEN2],
        ..BASE
    },
    // As Qwen2's, with marks as parts of words.
    PreTokenizer {
        names: &["qwen35"],
        cuts: &[concat!(
            contractions!(),
            r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|",
            spaces!()
        )],
        composes: true,
        ..BASE
    },
    // Without contractions, for Turkish.
    PreTokenizer {
        names: &["ufakzeka"],
        cuts: &[concat!(letters!(), r"|\p{N}|", others!())],
        ..BASE
    },
    PreTokenizer {
        names: &["laguna"],
        cuts: &[LINES, QWEN2],
        ..BASE
    },
    PreTokenizer {
        names: &["minicpm5"],
        cuts: &[
            THREE_DIGITS,
            concat!(contractions!(), "|", letters!(), r"|\p{N}+|", others!()),
        ],
        ignore_merges: IgnoreMerges::Always,
        ..BASE
    },
    // White space by powers of two.
    PreTokenizer {
        names: &["jais-2"],
        cuts: &[concat!(
            contractions!(),
            "|",
            letters!(),
            r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+",
            r"|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)",
            r"|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}"
        )],
        ..BASE
    },
    PreTokenizer {
        names: &["seed-coder"],
        cuts: &[concat!(
            contractions!(),
            "|",
            letters!(),
            r"|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|",
            spaces!()
        )],
        ..BASE
    },
    PreTokenizer {
        names: &["bailingmoe", "bailingmoe2", "llada-moe"],
        cuts: &[concat!(
            "'(?i:[sdmt]|ll|ve|re)|",
            letters!(),
            r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|",
            spaces!()
        )],
        ..BASE
    },
    // Words of Korean may have spaces in them.
    PreTokenizer {
        names: &["exaone-moe"],
        cuts: &[concat!(
            contractions!(),
            r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+",
            r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|",
            spaces!()
        )],
        ..BASE
    },
    // Mistral's: words also end where capitals begin.
    PreTokenizer {
        names: &["tekken"],
        cuts: &[concat!(cased!(""), r"|\p{N}|", others_with_slashes!())],
        ignore_merges: IgnoreMerges::Always,
        adds_bos: AddsBos::UnlessDenied,
        ..BASE
    },
    PreTokenizer {
        names: &["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"],
        cuts: &[GPT4O],
        ..BASE
    },
    PreTokenizer {
        names: &["granite-embed-multi-97m"],
        cuts: &[GPT4O],
        ignore_merges: IgnoreMerges::Always,
        ..BASE
    },
    // Numbers by thousands.
    PreTokenizer {
        names: &["tiny_aya", "cohere2moe"],
        cuts: &[r"\d{1,3}(?=(?:\d{3})*\b)", GPT4O],
        ..BASE
    },
    PreTokenizer {
        names: &["superbpe"],
        cuts: &[r"\p{N}+", r"(?=(\d{3})+(?!\d))"],
        ..BASE
    },
    PreTokenizer {
        names: &["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"],
        cuts: &[THREE_DIGITS, KANA, DEEPSEEK3],
        ..BASE
    },
    PreTokenizer {
        names: &["spark2_5"],
        cuts: &[
            THREE_DIGITS,
            KANA,
            concat!(
                r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"##,
                r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|",
                spaces!()
            ),
            DIGIT,
        ],
        ..BASE
    },
    // Numbers by thousands, from the right, and runs of Asian scripts by themselves.
    PreTokenizer {
        names: &["afmoe"],
        cuts: &[
            r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))",
            concat!(
                "[\u{4e00}-\u{9fff}\u{3400}-\u{4dbf}\u{f900}-\u{faff}\u{3040}-\u{309f}",
                "\u{30a0}-\u{30ff}\u{ff65}-\u{ff9f}\u{2f00}-\u{2fdf}\u{e40}-\u{e7f}",
                "\u{e80}-\u{eff}\u{1780}-\u{17ff}\u{1000}-\u{109f}\u{aa60}-\u{aa7f}",
                "\u{a9e0}-\u{a9ff}\u{ac00}-\u{d7af}\u{1100}-\u{11ff}]+"
            ),
            DEEPSEEK3,
        ],
        ..BASE
    },
    // Chinese by itself, in runs, then as GPT-4o's.
    PreTokenizer {
        names: &["kimi-k2"],
        cuts: &[
            r"\p{Han}+",
            concat!(
                cased!(concat!(contractions!(), "?")),
                r"|\p{N}{1,3}|",
                others!()
            ),
        ],
        ..BASE
    },
    PreTokenizer {
        names: &["youtu"],
        cuts: &[
            concat!(
                "[\u{ac00}-\u{d7a3}\u{3131}-\u{318e}]+",
                "|[\u{ff01}\u{2026}\u{201c}\u{201d}\u{2018}\u{2019}\u{2014}\u{ff1a}\u{ff1b}",
                "\u{ff0c}\u{3001}-\u{303f}\u{fe30}-\u{fe4f}]+|[\u{3105}-\u{312f}]+",
                "|[\u{4e00}-\u{9fa5}\u{3040}-\u{309f}\u{30a0}-\u{30ff}]+"
            ),
            concat!(
                cased!(concat!(contractions!(), "?")),
                r"|\p{N}|",
                others_with_slashes!()
            ),
        ],
        ignore_merges: IgnoreMerges::Always,
        ..BASE
    },
    PreTokenizer {
        names: &["deepseek-coder"],
        cuts: &[
            "[\r\n]",
            r"\s?\p{L}+",
            r"\s?\p{P}+",
            "[\u{4e00}-\u{9fa5}\u{800}-\u{4e00}\u{ac00}-\u{d7ff}]+",
            DIGIT,
        ],
        ..BASE
    },
    PreTokenizer {
        names: &["falcon"],
        cuts: &[r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"],
        ..BASE
    },
    PreTokenizer {
        names: &["poro-chat", "bloom", "gpt3-finnish"],
        cuts: &[BLOOM],
        ..BASE
    },
    PreTokenizer {
        names: &["viking"],
        cuts: &[BLOOM, DIGIT],
        ..BASE
    },
    PreTokenizer {
        names: &["chameleon"],
        cuts: &[
            "<sentinel:[0-9]+>",
            "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z",
            r"([\t\n]|    |  )",
            DIGIT,
            r"[\p{P}!-/:-@\[-`{-~]",
            GPT2,
        ],
        adds_bos: AddsBos::UnlessDenied,
        ..BASE
    },
    // Text as SentencePiece spells it, cut at line breaks alone.
    PreTokenizer {
        names: &["gemma4", "granite-embed-multi-311m"],
        cuts: &[LINES],
        ignore_merges: IgnoreMerges::OfLineBreaks,
        adds_bos: AddsBos::Always,
        spelling: Spelling::SentencePiece { strip_space: false },
        ..BASE
    },
    PreTokenizer {
        names: &["sarvam-moe"],
        cuts: &[LINES],
        spelling: Spelling::SentencePiece { strip_space: false },
        ..BASE
    },
    DEEPSEEK,
];

impl PreTokenizer {
    /// The pre-tokenizer of a `tokenizer.ggml.pre` name.
    pub(super) fn named(name: &str) -> Result<Self, TextError> {
        let found = ALL.iter().find(|it| it.names.contains(&name));
        found.copied().ok_or_else(|| {
            let known: Vec<_> = ALL.iter().flat_map(|it| it.names).copied().collect();
            TextError::unsupported("tokenizer.ggml.pre", quoted(name), known.join(", "))
        })
    }

    /// Returns whether prompts begin with the BOS token, if the file says `said` of it.
    pub(super) fn adds_bos(self, said: Option<bool>) -> bool {
        match self.adds_bos {
            AddsBos::IfSaid => said.unwrap_or(false),
            AddsBos::UnlessDenied => said.unwrap_or(true),
            AddsBos::Always => true,
        }
    }

    /// Spelling of the tokens.
    pub(super) fn spelling(self) -> Spelling {
        self.spelling
    }

    pub(super) fn rules(self) -> Result<Rules, TextError> {
        let cuts = self.cuts.iter().map(|cut| split(cut));
        let mut steps = cuts.collect::<Result<Vec<_>, _>>()?;
        let mut normalizers = Vec::new();
        if self.composes {
            normalizers.push(NormalizerWrapper::NFC(NFC).into());
        }
        let is_byte_level = self.spelling == Spelling::ByteLevel;
        if is_byte_level {
            // Bytes as GPT-2's alphabet, not cut once more.
            steps.push(PreTokenizerWrapper::ByteLevel(ByteLevel::new(
                false, true, false,
            )));
        } else {
            normalizers.push(spaces()?.into());
        }
        Ok(Rules {
            normalizers,
            pre_tokenizer: Some(PreTokenizerWrapper::Sequence(Sequence::new(steps))),
            ignore_merges: self.ignore_merges,
            byte_fallback: !is_byte_level,
            ..Rules::default()
        })
    }
}

fn split(pattern: &str) -> Result<PreTokenizerWrapper, TextError> {
    let pattern = SplitPattern::Regex(pattern.to_owned());
    let split = Split::new(pattern, Isolated, false).map_err(TextError::encode)?;
    Ok(PreTokenizerWrapper::Split(split))
}
