//! Reports of a generation: at each step, and at its end.

use serde::Serialize;

use super::TokenLogprob;
use crate::cache::{MemoryReport, ScopeCache};

/// One generated token.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct Step {
    /// Number of the step, from 0.
    pub index: usize,
    /// The token.
    pub token: u32,
    /// The model's own probability of it, before bias, penalties, temperature and filters.
    pub probability: f32,
    /// Natural logarithm of that probability.
    pub logprob: f32,
    /// The likeliest tokens, as many as [`top_logprobs`](super::GenerateConfig::top_logprobs).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub likeliest: Vec<TokenLogprob>,
    /// Text that is certain now, empty while a character or perhaps a stop string is incomplete.
    /// The texts of all steps, joined, are the generation's.
    pub text: String,
    /// Position of the token in the whole sequence, from 0.
    pub position: usize,
    /// Milliseconds of the step: the model on the previous token, the reading of its logits, and
    /// the choice. At step 0 that token is the prompt's last and counts there.
    pub elapsed_ms: f64,
    /// Memory of the cache, before this token is in it.
    pub memory: MemoryReport,
    /// Slots of the cache.
    pub slots: CacheSlots,
    /// The token's position is beyond the model's context.
    pub past_context: bool,
}

/// Slots in use in a cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct CacheSlots {
    /// P, the slots that prefill kept, of the head with the most.
    pub prefill: usize,
    /// D, the slots beyond P, of the head with the most.
    pub decode: usize,
    /// Slots of all heads in all layers together.
    pub held: usize,
}

impl CacheSlots {
    /// Counts the slots of `cache`, without a readback.
    pub fn of(cache: &ScopeCache) -> Self {
        let layers = (0..cache.config().layers).filter_map(|layer| cache.held(layer).ok());
        layers.flatten().fold(Self::default(), |slots, head| Self {
            prefill: slots.prefill.max(head.prefill),
            decode: slots.decode.max(head.decode()),
            held: slots.held + head.held,
        })
    }
}

/// Reason that a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum FinishReason {
    /// A token by which the model ends a turn, or one of the caller's; it is the last step's.
    StopToken,
    /// A stop string.
    StopString,
    /// All tokens requested.
    Length,
    /// The caller's cancellation.
    Cancelled,
}

/// A generation so far, or as a whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct Summary {
    /// Prompt tokens.
    pub prompt_tokens: usize,
    /// Those of them that a held cache had seen already, so that they were not computed.
    pub cached_tokens: usize,
    /// Tokens generated, including the one that ended the generation.
    pub new_tokens: usize,
    /// Milliseconds from the prompt's first chunk to the first token's logits, compression of the
    /// cache included.
    pub prefill_ms: f64,
    /// Milliseconds of all steps.
    pub decode_ms: f64,
    /// Computed prompt tokens per second; 0 while there is no prompt.
    pub prefill_tokens_per_second: f64,
    /// New tokens per second, without the first, whose logits come with the prompt; 0 while there
    /// are none.
    pub decode_tokens_per_second: f64,
    /// Memory that the cache holds, and held at most.
    pub memory: MemoryReport,
    /// Slots of the cache.
    pub slots: CacheSlots,
    /// A position was beyond the model's context.
    pub past_context: bool,
    /// Reason of the end; `None` while it goes on, and after an error.
    pub finish: Option<FinishReason>,
}

/// `count` per second, over `milliseconds`.
pub(super) fn rate(count: usize, milliseconds: f64) -> f64 {
    if milliseconds > 0.0 {
        count as f64 * 1000.0 / milliseconds
    } else {
        0.0
    }
}
