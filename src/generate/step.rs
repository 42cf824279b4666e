//! What a generation reports: at each step, and at its end.

use serde::Serialize;

use crate::cache::{MemoryReport, ScopeCache};

/// One generated token.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct Step {
    /// Its number, from 0.
    pub index: usize,
    /// The token.
    pub token: u32,
    /// The model's own probability of it, before penalty, temperature and filters.
    pub probability: f32,
    /// The text that is certain now. It may be empty, where a character or perhaps a stop string is not complete yet, and
    /// may then come with a later step: put together, the texts of all steps are the generation's.
    pub text: String,
    /// The token's position in the whole sequence, from 0.
    pub position: usize,
    /// Milliseconds that the step took: the model on the token before this one (at step 0 that is the prompt's last and
    /// counts there), the reading of its logits, and the choice.
    pub elapsed_ms: f64,
    /// What the cache holds, before this token is in it.
    pub memory: MemoryReport,
    /// The cache's slots.
    pub slots: CacheSlots,
    /// Whether the token's position is beyond what the model was made for.
    pub past_context: bool,
}

/// Slots that the cache has in use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct CacheSlots {
    /// P, what prefill kept, in the head where it is most.
    pub prefill: usize,
    /// D, what is held beyond P, in the head where it is most.
    pub decode: usize,
    /// Slots of all heads in all layers together.
    pub held: usize,
}

impl CacheSlots {
    /// What `cache` holds, without asking the device.
    pub fn of(cache: &ScopeCache) -> Self {
        let layers = (0..cache.config().layers).filter_map(|layer| cache.held(layer).ok());
        layers.flatten().fold(Self::default(), |slots, head| Self {
            prefill: slots.prefill.max(head.prefill),
            decode: slots.decode.max(head.decode()),
            held: slots.held + head.held,
        })
    }
}

/// What ended a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum FinishReason {
    /// A token by which the model ends a turn, or one of the caller's; it is the last step's.
    StopToken,
    /// A stop string.
    StopString,
    /// All the tokens that were asked for.
    Length,
    /// The caller.
    Cancelled,
}

/// A generation so far, or as a whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct Summary {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens generated, with the one that ended the generation.
    pub new_tokens: usize,
    /// Milliseconds from the prompt's first chunk to the first token's logits, compression of the cache included.
    pub prefill_ms: f64,
    /// Milliseconds of all steps.
    pub decode_ms: f64,
    /// Tokens of the prompt a second; 0 while there is no prompt.
    pub prefill_tokens_per_second: f64,
    /// New tokens a second, without the first, whose logits come with the prompt; 0 while there are none.
    pub decode_tokens_per_second: f64,
    /// What the cache holds and held at most.
    pub memory: MemoryReport,
    /// The cache's slots.
    pub slots: CacheSlots,
    /// Whether a position was beyond what the model was made for.
    pub past_context: bool,
    /// What ended it; `None` while it goes on, and where an error did.
    pub finish: Option<FinishReason>,
}

/// `count` in `milliseconds`, a second.
pub(super) fn rate(count: usize, milliseconds: f64) -> f64 {
    if milliseconds > 0.0 {
        count as f64 * 1000.0 / milliseconds
    } else {
        0.0
    }
}
