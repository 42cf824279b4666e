//! A loaded model and a prompt's tokens in JavaScript.

use serde::Serialize;
use tsify::Tsify;

use crate::engine::Engine;

/// A loaded model.
#[derive(Debug, Clone, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct ModelReport {
    /// `general.architecture`, such as `llama`.
    pub architecture: &'static str,
    /// Transformer layers.
    pub layers: usize,
    /// Attention heads per layer.
    pub query_heads: usize,
    /// Heads per layer that have keys and values, each with its own slots in the cache.
    pub kv_heads: usize,
    /// Elements per head.
    pub head_dim: usize,
    /// W per layer: newest positions that its queries see, which no policy touches; none if they
    /// see all. Empty if no layer has a window.
    pub windows: Vec<Option<usize>>,
    /// Positions that the model was trained for.
    pub context: usize,
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
    /// True with a usable chat template; without one the model takes texts, but no conversations.
    pub chat_template: bool,
    /// Bytes of its matrices on the GPU.
    pub matrix_bytes: u64,
    /// Digest of its weights, by which saved sessions name it.
    pub fingerprint: String,
}

impl ModelReport {
    pub(super) fn of(engine: &Engine) -> Self {
        let model = engine.model();
        let config = model.config();
        Self {
            architecture: config.architecture.name(),
            layers: config.layers,
            query_heads: config.query_heads,
            kv_heads: config.kv_heads,
            head_dim: config.head_dim,
            windows: config.windows(),
            context: config.context,
            vocabulary: config.vocabulary,
            chat_template: engine.tokenizer().chat_template().is_ok(),
            matrix_bytes: model.matrix_bytes(),
            fingerprint: model.fingerprint().to_string(),
        }
    }
}

/// A prompt's tokens.
#[derive(Debug, Clone, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct PromptTokens {
    /// Their numbers in the vocabulary.
    pub tokens: Vec<u32>,
    /// The text of each. Bytes that are only part of a character are U+FFFD.
    pub texts: Vec<String>,
}

impl PromptTokens {
    pub(super) fn of(engine: &Engine, tokens: Vec<u32>) -> Self {
        let bytes = |token: &u32| engine.tokenizer().token_bytes(*token).unwrap_or_default();
        let texts = tokens.iter().map(bytes);
        let texts = texts.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Self {
            texts: texts.collect(),
            tokens,
        }
    }
}
