//! Rules by which the next token is chosen.

use serde::{Deserialize, Serialize};

use super::GenerateError;
use crate::setters::setters;

const MOST_TEMPERATURE: f32 = 100.0;
const MOST_PENALTY: f32 = 100.0;

/// Options of a [`Sampler`](super::Sampler). The default is greedy: always the likeliest token.
///
/// The fields apply in the order of Hugging Face's transformers: repetition penalty, temperature,
/// top-k, top-p, min-p. In llama.cpp temperature comes last, so its top-p and min-p cut an
/// untempered distribution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct SamplingConfig {
    /// Divisor of the logits; 0 chooses greedily.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub temperature: f32,
    /// Number of likeliest tokens to keep; 0 for all. Of equally likely ones those with smaller
    /// ids.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub top_k: usize,
    /// Probability that the kept tokens sum to: the fewest likeliest of top-k's (Holtzman et al.,
    /// arXiv 1904.09751); 1 for all.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub top_p: f32,
    /// Least probability of a kept token, relative to the likeliest's (Nguyen et al., arXiv
    /// 2407.01082); 0 for all.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub min_p: f32,
    /// Divisor of a positive logit, factor of any other, for tokens that have occurred (Keskar et
    /// al., arXiv 1909.05858). A penalty of 1 changes nothing. It applies to greedy choices too.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub repetition_penalty: f32,
    /// Latest tokens, the prompt's included, that count as having occurred; 0 for all.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub repetition_window: usize,
    /// Seed of the draws: the same seed and logits give the same tokens.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub seed: u64,
}

impl Default for SamplingConfig {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            repetition_window: 64,
            seed: 0,
        }
    }
}

impl SamplingConfig {
    setters! {
        /// Sets [`temperature`](Self::temperature).
        with_temperature: temperature, f32;
        /// Sets [`top_k`](Self::top_k).
        with_top_k: top_k, usize;
        /// Sets [`top_p`](Self::top_p).
        with_top_p: top_p, f32;
        /// Sets [`min_p`](Self::min_p).
        with_min_p: min_p, f32;
        /// Sets [`repetition_penalty`](Self::repetition_penalty).
        with_repetition_penalty: repetition_penalty, f32;
        /// Sets [`repetition_window`](Self::repetition_window).
        with_repetition_window: repetition_window, usize;
        /// Sets [`seed`](Self::seed).
        with_seed: seed, u64;
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// [`GenerateError::Config`] names the first invalid field, its value and the allowed ones.
    pub fn validate(&self) -> Result<(), GenerateError> {
        let number = |field, value: f32, fits: bool, allowed: String| {
            if fits {
                Ok(())
            } else {
                Err(GenerateError::config(field, value, allowed))
            }
        };
        number(
            "temperature",
            self.temperature,
            (0.0..=MOST_TEMPERATURE).contains(&self.temperature),
            format!("from 0, which is greedy, to {MOST_TEMPERATURE}"),
        )?;
        number(
            "top_p",
            self.top_p,
            self.top_p > 0.0 && self.top_p <= 1.0,
            "above 0 and at most 1".to_owned(),
        )?;
        number(
            "min_p",
            self.min_p,
            (0.0..=1.0).contains(&self.min_p),
            "from 0 to 1".to_owned(),
        )?;
        number(
            "repetition_penalty",
            self.repetition_penalty,
            self.repetition_penalty > 0.0 && self.repetition_penalty <= MOST_PENALTY,
            format!("above 0 and at most {MOST_PENALTY}"),
        )
    }
}
