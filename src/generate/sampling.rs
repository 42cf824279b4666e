//! Rules by which the next token is chosen.

use serde::{Deserialize, Serialize};

use super::options::{Range, SamplingOption, sampling_options};
use crate::setters::setters;

sampling_options! {
    /// Options of a [`Sampler`](super::Sampler). The default is greedy: always the likeliest token.
    ///
    /// The fields apply in the order of Hugging Face's transformers: repetition penalty,
    /// temperature, top-k, top-p, min-p. In llama.cpp temperature comes last, so its top-p and
    /// min-p cut an untempered distribution. The penalties of frequency and presence follow that
    /// of repetition, as in llama.cpp and vLLM.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
    #[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
    pub struct SamplingConfig {
        /// Divisor of the logits; 0 chooses greedily.
        temperature / with_temperature: f32 = 0.0 {
            range: Range::Within(0.0, 100.0),
            in_requests: true,
            help: "Divide logits by this; 0 always takes the likeliest token",
        }
        /// Number of likeliest tokens to keep; 0 for all. Of equally likely ones those with smaller
        /// ids.
        top_k / with_top_k: usize = 0 {
            range: Range::Any,
            in_requests: true,
            help: "Choose among this many of the likeliest tokens; 0 for all",
        }
        /// Probability that the kept tokens sum to: the fewest likeliest of top-k's (Holtzman et
        /// al., arXiv 1904.09751); 1 for all.
        top_p / with_top_p: f32 = 1.0 {
            range: Range::Above(0.0, 1.0),
            in_requests: true,
            help: "Choose among the fewest likeliest tokens with this much probability together",
        }
        /// Least probability of a kept token, relative to the likeliest's (Nguyen et al., arXiv
        /// 2407.01082); 0 for all.
        min_p / with_min_p: f32 = 0.0 {
            range: Range::Within(0.0, 1.0),
            in_requests: true,
            help: "Choose among tokens at least this times as likely as the likeliest",
        }
        /// Divisor of a positive logit, factor of any other, for tokens that have occurred (Keskar
        /// et al., arXiv 1909.05858). A penalty of 1 changes nothing. It applies to greedy choices
        /// too.
        repetition_penalty / with_repetition_penalty: f32 = 1.0 {
            range: Range::Above(0.0, 100.0),
            in_requests: true,
            help: "Make tokens that have occurred less likely; 1 does not",
        }
        /// Latest tokens, the prompt's included, that count as having occurred; 0 for all.
        repetition_window / with_repetition_window: usize = 64 {
            range: Range::Any,
            in_requests: false,
            help: "Latest tokens that count as having occurred; 0 for all",
        }
        /// Deduction from a token's logit, times its number of occurrences in the answer so far
        /// (OpenAI's). Below 0 the token becomes likelier.
        frequency_penalty / with_frequency_penalty: f32 = 0.0 {
            range: Range::Within(-2.0, 2.0),
            in_requests: true,
            help: "Deduct this from a logit for each time that the answer has the token",
        }
        /// Deduction from a token's logit if the answer so far has the token (OpenAI's). Below 0
        /// the token becomes likelier.
        presence_penalty / with_presence_penalty: f32 = 0.0 {
            range: Range::Within(-2.0, 2.0),
            in_requests: true,
            help: "Deduct this from a logit if the answer has the token",
        }
        /// Seed of the draws: the same seed and logits give the same tokens.
        seed / with_seed: u64 = 0 {
            range: Range::Any,
            in_requests: true,
            help: "The same seed gives the same text on the same adapter",
        }
    }
}
