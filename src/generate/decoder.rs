//! Decode steps that a device runs as one piece of work, for engines that have such.

use futures_util::future::LocalBoxFuture;

use super::{Adjustment, SampledToken, SamplingConfig};
use crate::Error;
use crate::cache::ScopeCache;

/// The token that a step begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputToken {
    /// This one.
    Token(u32),
    /// The one that the last step chose, which is on the device already.
    Sampled,
}

/// Request for one step.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StepRequest<'a> {
    /// Choice of the next token.
    pub choice: Choice<'a>,
    /// `true` to score every slot, even if nothing is evicted.
    pub scores: bool,
    /// Number of likeliest tokens to report, at most
    /// [`MOST_LOGPROBS`](super::MOST_LOGPROBS).
    pub likeliest: usize,
}

/// Choice of the next token.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Choice<'a> {
    /// The likeliest, the first of equal ones.
    #[default]
    Likeliest,
    /// Drawn by the rules of a [`SamplingConfig`].
    Drawn(Draw<'a>),
}

/// The sampler's next draw, for a device to carry out in its place: see
/// [`Sampler::draw`](super::Sampler::draw).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw<'a> {
    /// The rules.
    pub sampling: &'a SamplingConfig,
    /// Logits that change before the temperature, each token once.
    pub adjustments: &'a [Adjustment],
    /// The random number: the first token whose cumulative probability passes it is chosen. From 0
    /// to below 1.
    pub part: f32,
}

/// The token that a step chooses, on its way from the device.
///
/// # Errors
///
/// The device's, and [`GenerateError::Logits`](super::GenerateError::Logits) if a logit is NaN or
/// +∞, or none is finite.
pub type PendingToken = LocalBoxFuture<'static, Result<SampledToken, Error>>;

/// Decode steps of one model with one cache, each one submission to the device.
pub trait StepDecoder {
    /// Puts `input` into `cache`, and begins to compute the next token. `None` if this step needs
    /// [`LanguageModel::step`](super::LanguageModel::step); nothing has changed then.
    ///
    /// Two results may be on their way. So a step with [`InputToken::Sampled`] can begin before the
    /// token of the last one has come back.
    ///
    /// # Errors
    ///
    /// The cache's, the kernels' and the device's.
    fn step(
        &mut self,
        input: InputToken,
        cache: &mut ScopeCache,
        request: StepRequest<'_>,
    ) -> Result<Option<PendingToken>, Error>;
}

/// Makes the decoder of a generation. An engine on a GPU is one.
pub trait DecoderFactory {
    /// A decoder for caches like `cache`; `None` if every step needs
    /// [`LanguageModel::step`](super::LanguageModel::step).
    ///
    /// # Errors
    ///
    /// The kernels' and the device's.
    fn decoder(&self, cache: &ScopeCache) -> Result<Option<Box<dyn StepDecoder>>, Error>;
}
