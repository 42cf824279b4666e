//! Decoding as one piece of work on the device, where a model offers it.

use super::{GenerateError, SamplingConfig};
use crate::Error;
use crate::cache::ScopeCache;
use crate::device::Pending;

/// The token that a step begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputToken {
    /// This one.
    Token(u32),
    /// The one that the step before chose, which is on the device already.
    Sampled,
}

/// What a step is to do and to bring back.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StepRequest<'a> {
    /// What comes back.
    pub answer: StepOutput<'a>,
    /// Every slot's score, even where nothing is selected.
    pub scores: bool,
}

/// What a step brings back.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum StepOutput<'a> {
    /// The likeliest token, as [`SampledToken`].
    #[default]
    Likeliest,
    /// A token drawn on the device, as [`SampledToken`].
    Drawn(Draw<'a>),
    /// The logits, `[vocabulary]` in f32.
    Logits,
}

/// A choice that a [`Sampler`](super::Sampler) is about to make, for others to make it: by
/// [`Sampler::draw`](super::Sampler::draw).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw<'a> {
    /// The rules.
    pub sampling: &'a SamplingConfig,
    /// The tokens that count as having occurred, each once.
    pub occurred: &'a [u32],
    /// Which part of the cumulative probability is to be passed, from 0 to below 1.
    pub part: f32,
}

/// A model's steps with one cache, each one submission to the device.
pub trait StepDecoder {
    /// Puts a decoded token into `cache` and begins to compute what is `wanted` of the next. `None` where this step needs
    /// [`LanguageModel::step`](super::LanguageModel::step); nothing has been done then.
    ///
    /// Two results may be on their way, so that a step [fed](InputToken::Sampled) with what the one before it chose can begin before
    /// that has come back; of [logits](StepOutput::Logits) only one.
    ///
    /// # Errors
    ///
    /// The cache's and the kernels'.
    fn step(
        &mut self,
        fed: InputToken,
        cache: &mut ScopeCache,
        wanted: StepRequest<'_>,
    ) -> Result<Option<Pending>, Error>;
}

/// The token that a step chose: the likeliest, the first of equal ones, or one that was drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampledToken {
    /// The token.
    pub token: u32,
    /// The model's own probability of it, by all logits as they are.
    pub probability: f32,
}

impl SampledToken {
    /// From the bytes that a step brings back: token, probability, how many logits are NaN or +∞.
    ///
    /// # Errors
    ///
    /// [`GenerateError::Logits`] where one is NaN or +∞, or none is finite.
    pub fn from_bytes(bytes: &[u8], vocabulary: usize) -> Result<Self, GenerateError> {
        let (words, _) = bytes.as_chunks::<4>();
        let word = |index: usize| words.get(index).map_or(0, |word| u32::from_le_bytes(*word));
        let wrong = |detail: String| Err(GenerateError::Logits { detail });
        if word(2) > 0 {
            return wrong(format!("{} are NaN or infinite", word(2)));
        }
        if word(0) as usize >= vocabulary {
            return wrong(format!("of {vocabulary} none is finite"));
        }
        Ok(Self {
            token: word(0),
            probability: f32::from_bits(word(1)),
        })
    }
}
