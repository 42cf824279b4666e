//! Source of the tokenizer of a model on disk.

use std::sync::Arc;

use crate::formats::gguf::GgufHeader;
use crate::text::{TextError, Tokenizer, TokenizerFiles};

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
        tokenizer_config: Option<Vec<u8>>,
        /// `chat_template.jinja`, which newer models have beside the others.
        chat_template: Option<Vec<u8>>,
        /// `config.json`.
        config: Vec<u8>,
        /// `generation_config.json`.
        generation_config: Option<Vec<u8>>,
    },
}

impl TokenizerSource {
    pub fn tokenizer(&self) -> Result<Tokenizer, TextError> {
        match self {
            Self::Gguf(header) => Tokenizer::from_gguf(&header.metadata),
            Self::Json {
                tokenizer,
                tokenizer_config,
                chat_template,
                config,
                generation_config,
            } => Tokenizer::from_files(&TokenizerFiles {
                tokenizer,
                tokenizer_config: tokenizer_config.as_deref(),
                chat_template: chat_template.as_deref(),
                config: Some(config),
                generation_config: generation_config.as_deref(),
            }),
        }
    }
}
