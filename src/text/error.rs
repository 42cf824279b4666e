//! Errors between text and tokens, under stable codes.

use crate::formats::WeightsError;

/// Any error of a tokenizer or a chat template. No file and no text makes either panic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The tokenizer in a GGUF file's metadata contradicts itself.
    #[error(transparent)]
    Metadata(#[from] WeightsError),
    /// A `tokenizer.json` or `tokenizer_config.json` contradicts its format or itself.
    #[error("malformed tokenizer: {what} is {found}, expected {expected}")]
    Malformed {
        /// Place of the fault, such as `merge 12`.
        what: String,
        /// Value in the file.
        found: String,
        /// Value that would be right.
        expected: String,
    },
    /// The tokenizer may be right, but kvscope does not know its kind.
    #[error("unsupported tokenizer: {what} is {found}, kvscope knows {supported}")]
    Unsupported {
        /// Unknown part, such as `tokenizer.ggml.pre`.
        what: String,
        /// Value in the file.
        found: String,
        /// Values that kvscope knows.
        supported: String,
    },
    /// There is no chat template, or it can't be used, or it refused the messages.
    #[error("chat template: {detail}")]
    ChatTemplate {
        /// Description of the fault.
        detail: String,
    },
    /// The text is longer than any prompt.
    #[error("the text has {bytes} bytes, at most {most} can be tokenized at once")]
    TooLong {
        /// Bytes given.
        bytes: usize,
        /// Bytes allowed.
        most: usize,
    },
    /// The tokenizer's own rules failed on the text, such as a regular expression that gave up.
    #[error("the text could not be tokenized: {detail}")]
    Encode {
        /// Description of the failure.
        detail: String,
    },
}

impl TextError {
    /// The stable code that programs match on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Metadata(_) | Self::Malformed { .. } => "tokenizer-malformed",
            Self::Unsupported { .. } => "tokenizer-unsupported",
            Self::ChatTemplate { .. } => "chat-template",
            Self::TooLong { .. } => "invalid-argument",
            Self::Encode { .. } => "tokenizer-failed",
        }
    }

    pub(super) fn malformed(
        what: impl Into<String>,
        found: impl std::fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        Self::Malformed {
            what: what.into(),
            found: found.to_string(),
            expected: expected.into(),
        }
    }

    pub(super) fn unsupported(
        what: impl Into<String>,
        found: impl std::fmt::Display,
        supported: impl Into<String>,
    ) -> Self {
        Self::Unsupported {
            what: what.into(),
            found: found.to_string(),
            supported: supported.into(),
        }
    }

    /// A template's failure, its message cut: a template may say as much as it likes.
    pub(super) fn template(detail: &str) -> Self {
        let detail = cut(detail);
        Self::ChatTemplate { detail }
    }

    /// A parser's message on a file, cut because it may quote the file.
    pub(super) fn unreadable(what: &str, error: &serde_json::Error) -> Self {
        Self::malformed(what, cut(&error.to_string()), "as Hugging Face writes it")
    }

    pub(super) fn encode(error: impl std::fmt::Display) -> Self {
        Self::Encode {
            detail: error.to_string(),
        }
    }
}

/// A message of no more than a few lines.
fn cut(text: &str) -> String {
    const MOST: usize = 300;
    let mut shown: String = text.chars().take(MOST).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
