//! Source of the tokenizer of a model on disk.

use std::sync::Arc;

use crate::formats::gguf::GgufHeader;
use crate::text::{TextError, Tokenizer};

/// A model's tokenizer as its files have it.
#[derive(Debug)]
pub(super) enum TokenizerSource {
    /// Metadata of a GGUF file; of several, of the first.
    Gguf(Arc<GgufHeader>),
    /// Files of a folder.
    Json {
        /// `tokenizer.json`.
        tokenizer: Vec<u8>,
        /// `tokenizer_config.json`.
        config: Option<Vec<u8>>,
        /// `chat_template.jinja`, which newer models have beside the others.
        chat_template: Option<Vec<u8>>,
    },
}

impl TokenizerSource {
    pub fn tokenizer(&self) -> Result<Tokenizer, TextError> {
        match self {
            Self::Gguf(header) => Tokenizer::from_gguf(&header.metadata),
            Self::Json {
                tokenizer,
                config,
                chat_template,
            } => {
                let tokenizer = Tokenizer::from_json(tokenizer, config.as_deref())?;
                match chat_template {
                    Some(source) => tokenizer.with_chat_template(&String::from_utf8_lossy(source)),
                    None => Ok(tokenizer),
                }
            }
        }
    }
}
