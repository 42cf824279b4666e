//! What a loaded model and its cache look like from JavaScript.

use serde::{Deserialize, Serialize};
use tsify::Tsify;

use crate::Error;
use crate::cache::{CacheError, ScopeCache};
use crate::engine::Engine;

/// A loaded model.
#[derive(Debug, Clone, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct ModelReport {
    /// `general.architecture`, such as `llama`.
    pub architecture: &'static str,
    /// Transformer layers.
    pub layers: usize,
    /// Attention heads of a layer.
    pub query_heads: usize,
    /// Heads of a layer that have keys and values, each with slots of its own in the cache.
    pub kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// Positions that the model was made for.
    pub context: usize,
    /// Tokens that it knows.
    pub vocabulary: usize,
    /// Whether it has a chat template that can be used: without one it takes texts, but no conversations.
    pub chat_template: bool,
    /// Bytes of its matrices on the GPU.
    pub matrix_bytes: u64,
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
            context: config.context,
            vocabulary: config.vocabulary,
            chat_template: engine.tokenizer().chat_template().is_ok(),
            matrix_bytes: model.matrix_bytes(),
        }
    }
}

/// A prompt's tokens.
#[derive(Debug, Clone, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct PromptTokens {
    /// Their numbers in the vocabulary.
    pub tokens: Vec<u32>,
    /// The text of each. Bytes that are only a part of a character are U+FFFD.
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

/// What one KV head holds, in the order of positions.
#[derive(Debug, Clone, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct RetainedSlots {
    /// The positions held.
    pub positions: Vec<u32>,
    /// The score of each at the last selection; 0 where a method does not score.
    pub scores: Vec<f32>,
    /// So many of them, the first ones, are the prompt's; the rest were decoded.
    pub prefill: usize,
}

/// What a layer holds.
#[derive(Debug, Clone, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct RetainedLayer {
    /// The layer's number, from 0.
    pub layer: usize,
    /// Its KV heads.
    pub heads: Vec<RetainedSlots>,
}

impl RetainedLayer {
    /// Reads `layer` of `cache` back from the device.
    pub(super) async fn read(cache: &ScopeCache, layer: usize) -> Result<Self, CacheError> {
        let retained = cache.retained(layer).await?;
        let phases = cache.read_phases(layer).await?;
        let heads = retained.into_iter().zip(phases);
        let heads = heads.map(|(head, phase)| RetainedSlots {
            positions: head.positions,
            scores: head.scores,
            prefill: phase.prefill,
        });
        Ok(Self {
            layer,
            heads: heads.collect(),
        })
    }
}

/// Which layers to read back while a generation runs, and how often. Each reading waits for the GPU.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Tsify)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Observe {
    /// At every so many steps, from the first one.
    pub every: usize,
    /// These layers; all, if nothing is said.
    #[serde(default)]
    #[tsify(optional)]
    pub layers: Option<Vec<usize>>,
}

impl Observe {
    /// What it asks to be read at step `index`.
    pub(super) async fn read(
        &self,
        index: usize,
        cache: &ScopeCache,
    ) -> Result<Option<RetainedLayers>, Error> {
        if self.every == 0 || !index.is_multiple_of(self.every) {
            return Ok(None);
        }
        let all = || (0..cache.config().layers).collect();
        let mut layers = Vec::new();
        for layer in self.layers.clone().unwrap_or_else(all) {
            layers.push(RetainedLayer::read(cache, layer).await?);
        }
        Ok(Some(RetainedLayers { layers }))
    }
}

/// What several layers hold.
#[derive(Debug, Clone, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct RetainedLayers {
    /// In the order in which they were asked for.
    pub layers: Vec<RetainedLayer>,
}
