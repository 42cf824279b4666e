//! Choice of a token by its logits.
//!
//! All arithmetic is in f64, in the order of the tokens' ids. The exponential function is that of
//! [`super::exp`], the random numbers are ChaCha8's. The same seed and logits give the same tokens
//! on any platform. Logits do differ between adapters: their f32 sums round differently.

use std::cmp::Ordering;

use serde::Serialize;

use super::exp::exp;
use super::random::Random;
use super::{Draw, GenerateError, LogitBias, SamplingConfig};

/// Likeliest tokens that top-p ranks first, and the factor by which it ranks more if they are too
/// few.
const RANKED_AT_FIRST: usize = 256;
/// Factor by which it ranks more, if those are too few.
const RANKED_MORE: usize = 8;

/// A chosen token.
#[derive(Debug, Clone, PartialEq)]
pub struct SampledToken {
    /// The token.
    pub token: u32,
    /// The model's own probability of it: the softmax of the raw logits, before bias, penalties,
    /// temperature and filters.
    pub probability: f32,
    /// Its natural logarithm, also where the probability is too small for an f32.
    pub logprob: f32,
    /// The likeliest tokens by the model's own probabilities, the likeliest first. Of equal ones,
    /// those with smaller ids. As many as were asked for.
    pub likeliest: Vec<TokenLogprob>,
}

/// A token and the natural logarithm of the model's own probability of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct TokenLogprob {
    /// The token.
    pub token: u32,
    /// Logarithm of its probability, in nats.
    pub logprob: f32,
}

/// Change of a token's logit before the temperature: first its bias, then the penalties.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Adjustment {
    /// The token.
    pub token: u32,
    /// Addition to the logit.
    pub bias: f32,
    /// `true` if the repetition penalty applies.
    pub repeated: bool,
    /// Occurrences in the answer so far; 0 if neither frequency nor presence has a penalty.
    pub count: u32,
}

/// Chooses tokens by a [`SamplingConfig`].
#[derive(Debug, Clone)]
pub struct Sampler {
    config: SamplingConfig,
    random: Random,
    /// Logits with their penalty, later weights: one number per token.
    numbers: Vec<f64>,
    /// Tokens that may be chosen.
    candidates: Vec<u32>,
    /// Logits that change, each token once, in the order of ids.
    adjustments: Vec<Adjustment>,
    bias: Vec<LogitBias>,
    /// Tokens of the history that are the prompt's.
    prompt_tokens: usize,
    /// Number of likeliest tokens to report.
    likeliest: usize,
}

impl Sampler {
    /// Creates a sampler at the beginning of its seed's random numbers.
    ///
    /// # Errors
    ///
    /// Those of [`SamplingConfig::validate`].
    pub fn new(config: SamplingConfig) -> Result<Self, GenerateError> {
        config.validate()?;
        Ok(Self {
            random: Random::new(config.seed),
            config,
            numbers: Vec::new(),
            candidates: Vec::new(),
            adjustments: Vec::new(),
            bias: Vec::new(),
            prompt_tokens: 0,
            likeliest: 0,
        })
    }

    /// Adds `bias` to logits.
    #[must_use]
    pub fn with_bias(mut self, bias: Vec<LogitBias>) -> Self {
        self.bias = bias;
        self
    }

    /// Takes the first `tokens` of every history for the prompt's, which the penalties of frequency
    /// and presence pass over.
    #[must_use]
    pub fn after_prompt(mut self, tokens: usize) -> Self {
        self.prompt_tokens = tokens;
        self
    }

    /// Reports this many of the likeliest tokens.
    #[must_use]
    pub fn with_likeliest(mut self, likeliest: usize) -> Self {
        self.likeliest = likeliest;
        self
    }

    /// Returns whether it always takes the first of the largest logits.
    pub fn is_greedy(&self) -> bool {
        let config = &self.config;
        let changes = config.repetition_penalty != 1.0 || self.counts() || !self.bias.is_empty();
        config.temperature == 0.0 && !changes
    }

    /// Chooses a token by `logits`, one per token of the vocabulary, where −∞ means never.
    /// `history` is all tokens so far, the prompt's included; tokens beyond the vocabulary are
    /// ignored.
    ///
    /// A greedy choice takes the first of the largest and no random number. Any other takes one
    /// number u in [0, 1). It chooses the first token, in the order of ids, at which the cumulative
    /// filtered probability passes u.
    ///
    /// # Errors
    ///
    /// [`GenerateError::Logits`] if one is NaN or +∞, or none is finite.
    pub fn sample(
        &mut self,
        logits: &[f32],
        history: &[u32],
    ) -> Result<SampledToken, GenerateError> {
        check(logits)?;
        self.adjust(logits, history);
        let best = first_largest(&self.numbers);
        let token = if self.config.temperature == 0.0 {
            best
        } else {
            self.weigh(self.numbers[best as usize]);
            self.filter();
            self.pick().unwrap_or(best)
        };
        let logprob = logprobs(logits);
        let likeliest = likeliest(logits, self.likeliest).into_iter();
        Ok(SampledToken {
            token,
            probability: exp(logprob(token)) as f32,
            logprob: logprob(token) as f32,
            likeliest: likeliest
                .map(|token| TokenLogprob {
                    token,
                    logprob: logprob(token) as f32,
                })
                .collect(),
        })
    }

    /// The sampler's next draw, for a device to carry out in f32 by the same rules. Its rounding
    /// may tip a draw that falls between two tokens. Call [`drawn`](Self::drawn) afterwards.
    pub fn draw(&mut self, history: &[u32]) -> Draw<'_> {
        self.find_adjustments(history);
        // The 24 bits that an f32 holds, of the number that `sample` would take.
        let part = (self.random.clone().bits() >> 40) as f32 / (1_u64 << 24) as f32;
        Draw {
            sampling: &self.config,
            adjustments: &self.adjustments,
            part,
        }
    }

    /// Advances to the next random number, after a [`draw`](Self::draw) carried out elsewhere.
    pub fn drawn(&mut self) {
        if self.config.temperature > 0.0 {
            self.random.bits();
        }
    }

    /// Returns whether occurrences in the answer are penalised.
    fn counts(&self) -> bool {
        self.config.frequency_penalty != 0.0 || self.config.presence_penalty != 0.0
    }

    /// Finds the logits that change.
    fn find_adjustments(&mut self, history: &[u32]) {
        let counts = self.counts();
        let all = &mut self.adjustments;
        all.clear();
        all.extend(self.bias.iter().map(|it| Adjustment {
            token: it.token,
            bias: it.bias,
            ..Adjustment::default()
        }));
        if self.config.repetition_penalty != 1.0 {
            let window = match self.config.repetition_window {
                0 => history.len(),
                window => window.min(history.len()),
            };
            let repeated = history[history.len() - window..].iter();
            all.extend(repeated.map(|&token| Adjustment {
                token,
                repeated: true,
                ..Adjustment::default()
            }));
        }
        if counts {
            let answer = history.get(self.prompt_tokens..).unwrap_or_default();
            all.extend(answer.iter().map(|&token| Adjustment {
                token,
                count: 1,
                ..Adjustment::default()
            }));
        }
        all.sort_unstable_by_key(|it| it.token);
        all.dedup_by(|next, kept| {
            let same = next.token == kept.token;
            if same {
                kept.bias += next.bias;
                kept.repeated |= next.repeated;
                kept.count += next.count;
            }
            same
        });
    }

    fn adjust(&mut self, logits: &[f32], history: &[u32]) {
        self.numbers.clear();
        self.numbers
            .extend(logits.iter().map(|logit| f64::from(*logit)));
        self.find_adjustments(history);
        let [repetition, frequency, presence] = [
            self.config.repetition_penalty,
            self.config.frequency_penalty,
            self.config.presence_penalty,
        ]
        .map(f64::from);
        for it in &self.adjustments {
            let Some(logit) = self.numbers.get_mut(it.token as usize) else {
                continue;
            };
            *logit += f64::from(it.bias);
            if it.repeated {
                *logit = if *logit > 0.0 {
                    *logit / repetition
                } else {
                    *logit * repetition
                };
            }
            if it.count > 0 {
                *logit -= frequency * f64::from(it.count) + presence;
            }
        }
    }

    /// Keeps the top k, in the order of ids, and turns logits into weights. A weight is the
    /// probability relative to the likeliest token's, whose logit is `largest`.
    fn weigh(&mut self, largest: f64) {
        let numbers = &mut self.numbers;
        self.candidates.clear();
        self.candidates.extend(
            (0..numbers.len() as u32).filter(|token| numbers[*token as usize] > f64::NEG_INFINITY),
        );
        let top = self.config.top_k;
        if top > 0 && top < self.candidates.len() {
            self.candidates
                .select_nth_unstable_by(top - 1, |a, b| likeliest_first(numbers, *a, *b));
            self.candidates.truncate(top);
            self.candidates.sort_unstable();
        }
        let temperature = f64::from(self.config.temperature);
        for token in &self.candidates {
            let number = &mut numbers[*token as usize];
            *number = exp((*number - largest) / temperature);
        }
    }

    /// Top-p, then min-p. Neither drops the likeliest token.
    fn filter(&mut self) {
        if self.config.top_p < 1.0 {
            self.keep_nucleus();
            self.candidates.sort_unstable();
        }
        let least = f64::from(self.config.min_p);
        let weights = &self.numbers;
        self.candidates
            .retain(|token| weights[*token as usize] >= least);
    }

    /// Keeps the fewest likeliest candidates whose weights sum to `top_p` of all. Sorts no more of
    /// them than needed.
    fn keep_nucleus(&mut self) {
        let weights = &self.numbers;
        let candidates = &mut self.candidates;
        let total: f64 = candidates
            .iter()
            .map(|token| weights[*token as usize])
            .sum();
        let enough = f64::from(self.config.top_p) * total;
        let (mut ranked, mut target, mut sum) = (0, RANKED_AT_FIRST, 0.0);
        while ranked < candidates.len() {
            let end = target.min(candidates.len());
            if end < candidates.len() {
                candidates[ranked..]
                    .select_nth_unstable_by(end - ranked, |a, b| likeliest_first(weights, *a, *b));
            }
            candidates[ranked..end].sort_unstable_by(|a, b| likeliest_first(weights, *a, *b));
            for index in ranked..end {
                sum += weights[candidates[index] as usize];
                if sum >= enough {
                    candidates.truncate(index + 1);
                    return;
                }
            }
            ranked = end;
            target = target.saturating_mul(RANKED_MORE);
        }
    }

    /// The candidate at which the cumulative weight passes a random share of the total; `None` if
    /// there is none.
    fn pick(&mut self) -> Option<u32> {
        let weights = &self.numbers;
        let weight = |token: u32| weights[token as usize];
        let total: f64 = self.candidates.iter().map(|token| weight(*token)).sum();
        // The 53 bits that an f64 holds.
        let part = (self.random.bits() >> 11) as f64 / (1_u64 << 53) as f64;
        let mut sum = 0.0;
        let passed = self.candidates.iter().find(|token| {
            sum += weight(**token);
            sum > part * total
        });
        // The product may round up to the total.
        let last = || self.candidates.iter().rfind(|token| weight(**token) > 0.0);
        passed.or_else(last).copied()
    }
}

/// Checks that a token can be chosen by `logits`.
pub(super) fn check(logits: &[f32]) -> Result<(), GenerateError> {
    let wrong = |detail: String| Err(GenerateError::Logits { detail });
    if let Some(token) = logits
        .iter()
        .position(|logit| logit.is_nan() || *logit == f32::INFINITY)
    {
        return wrong(format!("token {token}'s is {}", logits[token]));
    }
    if logits.iter().all(|logit| *logit == f32::NEG_INFINITY) {
        return wrong(format!("of {} none is finite", logits.len()));
    }
    Ok(())
}

fn first_largest(numbers: &[f64]) -> u32 {
    let mut best = 0;
    for (token, number) in numbers.iter().enumerate() {
        if *number > numbers[best] {
            best = token;
        }
    }
    best as u32
}

/// Larger numbers before smaller ones; of equal ones, the smaller token first.
fn likeliest_first<Number: PartialOrd>(numbers: &[Number], a: u32, b: u32) -> Ordering {
    let (first, second) = (&numbers[a as usize], &numbers[b as usize]);
    // Not `total_cmp`, to which 0 and -0 differ. No NaN comes this far.
    let likeliest = second.partial_cmp(first).unwrap_or(Ordering::Equal);
    likeliest.then(a.cmp(&b))
}

/// The logprob of every token.
fn logprobs(logits: &[f32]) -> impl Fn(u32) -> f64 {
    let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let total: f64 = logits
        .iter()
        .map(|logit| exp(f64::from(*logit) - largest))
        .sum();
    let total = total.ln();
    // The difference first: beside a large logit, the logarithm would be lost.
    move |token| (f64::from(logits[token as usize]) - largest) - total
}

/// The `count` tokens with the largest logits, the largest first; of equal ones, those with smaller
/// ids. Tokens that are never chosen are none of them.
fn likeliest(logits: &[f32], count: usize) -> Vec<u32> {
    if count == 0 {
        return Vec::new();
    }
    let first = |a: &u32, b: &u32| likeliest_first(logits, *a, *b);
    let mut tokens: Vec<u32> = (0..logits.len() as u32)
        .filter(|token| logits[*token as usize] > f32::NEG_INFINITY)
        .collect();
    if count < tokens.len() {
        tokens.select_nth_unstable_by(count - 1, first);
        tokens.truncate(count);
    }
    tokens.sort_unstable_by(first);
    tokens
}
