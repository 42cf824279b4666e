//! Length and end of a generation.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::{GenerateError, SamplingConfig, stop};
use crate::setters::setters;

/// Limit of a cache's counts, too.
const MOST_NEW_TOKENS: usize = 1 << 24;
const MOST_CHUNK: usize = 4096;
const MOST_STOP_TOKENS: usize = 1024;
const MOST_BIASES: usize = 1024;
/// Largest bias and, less than 0, the smallest: OpenAI's.
const LARGEST_BIAS: f32 = 100.0;
/// Most likeliest tokens that a step reports: OpenAI's.
pub const MOST_LOGPROBS: usize = 20;

/// Addition to a token's logit, before the penalties and the temperature.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct LogitBias {
    /// The token; one beyond the vocabulary is passed over.
    pub token: u32,
    /// Addition, from −100 to 100. The ends all but forbid a token, or leave no other.
    pub bias: f32,
}

/// Options of a generation. Every field has a default.
///
/// ```
/// use kvscope::generate::{GenerateConfig, SamplingConfig};
///
/// let sampling = SamplingConfig::default().with_temperature(0.7).with_min_p(0.05).with_seed(7);
/// let config = GenerateConfig::default()
///     .with_max_new_tokens(4096)
///     .with_stop(vec!["\n\n".to_owned()])
///     .with_sampling(sampling);
/// assert!(config.validate().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct GenerateConfig {
    /// Most tokens to generate. Also T, by which the adaptive decode strategies pace their budget.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub max_new_tokens: usize,
    /// Texts that end the generation; neither they nor what follows is part of its text.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub stop: Vec<String>,
    /// Tokens that end the generation, beside the model's own ends of a turn.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub stop_tokens: Vec<u32>,
    /// Goes on past the tokens by which the model ends a turn.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub ignore_eos: bool,
    /// Additions to logits. Those of a token that is named twice add up.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub logit_bias: Vec<LogitBias>,
    /// Number of likeliest tokens that every step reports with their logprobs, at most 20.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub top_logprobs: usize,
    /// Choice of each token.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub sampling: SamplingConfig,
    /// Prompt tokens per chunk given to the device. Progress and cancellation come between chunks.
    /// The result depends on it only by the rounding of sums.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub prefill_chunk: usize,
}

impl Default for GenerateConfig {
    fn default() -> Self {
        Self {
            max_new_tokens: 256,
            stop: Vec::new(),
            stop_tokens: Vec::new(),
            ignore_eos: false,
            logit_bias: Vec::new(),
            top_logprobs: 0,
            sampling: SamplingConfig::default(),
            prefill_chunk: 256,
        }
    }
}

impl GenerateConfig {
    setters! {
        /// Sets [`max_new_tokens`](Self::max_new_tokens).
        with_max_new_tokens: max_new_tokens, usize;
        /// Sets [`stop`](Self::stop).
        with_stop: stop, Vec<String>;
        /// Sets [`stop_tokens`](Self::stop_tokens).
        with_stop_tokens: stop_tokens, Vec<u32>;
        /// Sets [`ignore_eos`](Self::ignore_eos).
        with_ignore_eos: ignore_eos, bool;
        /// Sets [`logit_bias`](Self::logit_bias).
        with_logit_bias: logit_bias, Vec<LogitBias>;
        /// Sets [`top_logprobs`](Self::top_logprobs).
        with_top_logprobs: top_logprobs, usize;
        /// Sets [`sampling`](Self::sampling).
        with_sampling: sampling, SamplingConfig;
        /// Sets [`prefill_chunk`](Self::prefill_chunk).
        with_prefill_chunk: prefill_chunk, usize;
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// [`GenerateError::Config`] names the first invalid field, its value and the allowed ones.
    pub fn validate(&self) -> Result<(), GenerateError> {
        within("max_new_tokens", self.max_new_tokens, 1..=MOST_NEW_TOKENS)?;
        within("prefill_chunk", self.prefill_chunk, 1..=MOST_CHUNK)?;
        within("top_logprobs", self.top_logprobs, 0..=MOST_LOGPROBS)?;
        stop::validate(&self.stop)?;
        at_most("stop_tokens", self.stop_tokens.len(), MOST_STOP_TOKENS)?;
        at_most("logit_bias", self.logit_bias.len(), MOST_BIASES)?;
        let allowed = -LARGEST_BIAS..=LARGEST_BIAS;
        let mut biases = self.logit_bias.iter();
        if let Some(wrong) = biases.find(|it| !allowed.contains(&it.bias)) {
            return Err(GenerateError::config(
                "logit_bias",
                format!("{} for token {}", wrong.bias, wrong.token),
                format!("from -{LARGEST_BIAS} to {LARGEST_BIAS}"),
            ));
        }
        self.sampling.validate()
    }

    /// Checks every field, and a prompt of `tokens` tokens for a model with `context` positions.
    ///
    /// # Errors
    ///
    /// [`GenerateError::Config`], [`GenerateError::EmptyPrompt`] or
    /// [`GenerateError::PromptTooLong`].
    pub(crate) fn check_prompt(&self, tokens: usize, context: usize) -> Result<(), GenerateError> {
        self.validate()?;
        match tokens {
            0 => Err(GenerateError::EmptyPrompt),
            _ if tokens > context => Err(GenerateError::PromptTooLong { tokens, context }),
            _ => Ok(()),
        }
    }
}

fn within(
    field: &'static str,
    value: usize,
    allowed: RangeInclusive<usize>,
) -> Result<(), GenerateError> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let allowed = format!("from {} to {}", allowed.start(), allowed.end());
    Err(GenerateError::config(field, value, allowed))
}

fn at_most(field: &'static str, tokens: usize, most: usize) -> Result<(), GenerateError> {
    if tokens <= most {
        return Ok(());
    }
    let (found, allowed) = (format!("{tokens} tokens"), format!("at most {most} tokens"));
    Err(GenerateError::config(field, found, allowed))
}
