//! The step loop.

use std::ops::ControlFlow;

use web_time::Instant;

use super::model::{LanguageModel, Spelling};
use super::step::rate;
use super::{
    CacheSlots, Cancel, FinishReason, GenerateConfig, GenerateError, InputToken, Sampled,
    SampledToken, Sampler, Step, StepDecoder, StepOutput, StepRequest, StopStrings, Summary,
};
use crate::Error;
use crate::cache::ScopeCache;
use crate::device::ComputeDevice;

/// A prompt and what a model makes of it.
///
/// [`prefill`](Self::prefill) takes the prompt in, each [`next`](Self::next) gives a token. Whatever ends it,
/// [`tokens`](Self::tokens), [`text`](Self::text) and [`summary`](Self::summary) have everything up to there.
pub struct Generation<'a, M, S> {
    pub(super) model: &'a M,
    pub(super) cache: &'a mut ScopeCache,
    pub(super) device: &'a ComputeDevice,
    pub(super) config: GenerateConfig,
    pub(super) cancel: Cancel,
    pub(super) prompt_tokens: usize,
    /// The prompt's and the new ones.
    pub(super) tokens: Vec<u32>,
    pub(super) prefilled: bool,
    /// The prompt's, until the first token is chosen by them.
    pub(super) logits: Option<Vec<f32>>,
    pub(super) prefill_ms: f64,
    pub(super) finish: Option<FinishReason>,
    pub(super) failed: bool,
    spelling: S,
    stop_tokens: Vec<u32>,
    stop: StopStrings,
    sampler: Sampler,
    path: Path,
    /// Whether scores are computed at every step.
    scores: bool,
    text: String,
    decode_ms: f64,
    past_context: bool,
}

/// How steps are done.
enum Path {
    /// Not asked yet.
    Unknown,
    /// By tensor operations.
    None,
    /// As one piece of work each.
    Fused(Box<dyn StepDecoder>),
}

impl<'a, M: LanguageModel, S: Spelling> Generation<'a, M, S> {
    /// Prepares to continue `prompt` with a model on `device`, after what `cache` has seen. Nothing is
    /// computed yet.
    ///
    /// # Errors
    ///
    /// [`GenerateError::Config`], [`GenerateError::EmptyPrompt`] or [`GenerateError::PromptTooLong`].
    pub fn new(
        model: &'a M,
        device: &'a ComputeDevice,
        spelling: S,
        end_of_turn: &[u32],
        cache: &'a mut ScopeCache,
        prompt: Vec<u32>,
        config: GenerateConfig,
    ) -> Result<Self, Error> {
        config.validate()?;
        let (tokens, context) = (prompt.len(), model.context());
        if tokens == 0 {
            return Err(GenerateError::EmptyPrompt.into());
        }
        if tokens > context {
            return Err(GenerateError::PromptTooLong { tokens, context }.into());
        }
        let mut stop_tokens = config.stop_tokens.clone();
        if !config.ignore_eos {
            stop_tokens.extend_from_slice(end_of_turn);
        }
        Ok(Self {
            model,
            cache,
            device,
            cancel: Cancel::new(),
            prompt_tokens: tokens,
            tokens: prompt,
            prefilled: false,
            logits: None,
            prefill_ms: 0.0,
            finish: None,
            failed: false,
            spelling,
            stop_tokens,
            stop: StopStrings::new(config.stop.clone())?,
            sampler: Sampler::new(config.sampling.clone())?,
            path: Path::Unknown,
            scores: false,
            text: String::new(),
            decode_ms: 0.0,
            past_context: false,
            config,
        })
    }

    /// Has every slot scored at every step, for those who read the [cache](Self::cache) as it goes; otherwise the device may
    /// score only where it selects.
    #[must_use]
    pub fn with_scores(mut self, scores: bool) -> Self {
        self.scores = scores;
        self
    }

    /// Lets `cancel` end the generation, before its next chunk or step.
    #[must_use]
    pub fn with_cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// The next token, or `None` when the generation has ended. Takes the prompt in first if that has not been done.
    ///
    /// # Errors
    ///
    /// Those of the model, the cache and the device, and [`GenerateError::Logits`]. The generation has then ended. After a
    /// model's error the cache is truncated to what it was before the step.
    pub async fn next(&mut self) -> Result<Option<Step>, Error> {
        self.prefill(|_, _| ControlFlow::Continue(())).await?;
        if self.ended() {
            return Ok(None);
        }
        if self.cancel.is_cancelled() {
            self.finish = Some(FinishReason::Cancelled);
            return Ok(None);
        }
        let start = Instant::now();
        let chosen = self.choose().await;
        let chosen = chosen.inspect_err(|_| self.failed = true)?;

        let index = self.new_tokens().len();
        let position = self.cache.position();
        let past_context = self.note_position(position);
        self.tokens.push(chosen.token);
        let text = self.spell(chosen.token);
        let elapsed_ms = start.elapsed().as_secs_f64() * 1000.0;
        self.decode_ms += elapsed_ms;
        Ok(Some(Step {
            index,
            token: chosen.token,
            probability: chosen.probability,
            text,
            position,
            elapsed_ms,
            memory: self.cache.memory(),
            slots: CacheSlots::of(self.cache),
            past_context,
        }))
    }

    /// The cache, between steps.
    pub fn cache(&self) -> &ScopeCache {
        self.cache
    }

    /// The tokens generated so far, with the one that ended the generation.
    pub fn tokens(&self) -> &[u32] {
        self.new_tokens()
    }

    /// The text generated so far: that of all steps put together and, once the generation has been cancelled or has failed,
    /// [`rest`](Self::rest).
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Ends the text, and returns what no step could report because it was not certain yet. Only a generation that was
    /// cancelled or has failed leaves any.
    pub fn rest(&mut self) -> String {
        let left = self.spelling.finish();
        let rest = self.stop.push(&left) + &self.stop.finish();
        self.text.push_str(&rest);
        rest
    }

    /// What there is to say of it so far.
    pub fn summary(&self) -> Summary {
        let new_tokens = self.new_tokens().len();
        Summary {
            prompt_tokens: self.prompt_tokens,
            new_tokens,
            prefill_ms: self.prefill_ms,
            decode_ms: self.decode_ms,
            prefill_tokens_per_second: if self.prefilled {
                rate(self.prompt_tokens, self.prefill_ms)
            } else {
                0.0
            },
            decode_tokens_per_second: rate(new_tokens.saturating_sub(1), self.decode_ms),
            memory: self.cache.memory(),
            slots: CacheSlots::of(self.cache),
            past_context: self.past_context,
            finish: self.finish,
        }
    }

    pub(super) fn ended(&self) -> bool {
        self.finish.is_some() || self.failed
    }

    fn new_tokens(&self) -> &[u32] {
        &self.tokens[self.prompt_tokens..]
    }

    /// The next token, by the prompt's logits or by those of a step on the token before.
    async fn choose(&mut self) -> Result<Sampled, Error> {
        if let Some(logits) = self.logits.take() {
            return Ok(self.sampler.sample(&logits, &self.tokens)?);
        }
        let before = self.cache.position();
        let held = self.cache.memory().held_bytes;
        let stepped = match self.fused_step().await {
            Ok(Some(chosen)) => Ok(chosen),
            Ok(None) => self.plain_step().await,
            Err(error) => Err(error),
        };
        if stepped.is_err() {
            self.roll_back(before).await;
        } else if self.cache.memory().held_bytes != held {
            // A cache that has grown by a block has left its old memory behind.
            self.device.release_unused().await?;
        }
        stepped
    }

    /// A step as one piece of work on the device; `None` where that can't be had.
    async fn fused_step(&mut self) -> Result<Option<Sampled>, Error> {
        let Some(gpu) = self.device.gpu() else {
            return Ok(None);
        };
        if matches!(self.path, Path::Unknown) {
            self.path = match self.model.decoder(gpu, self.cache)? {
                Some(decoder) => Path::Fused(decoder),
                None => Path::None,
            };
        }
        let Path::Fused(decoder) = &mut self.path else {
            return Ok(None);
        };
        gpu.check()?;
        let last = self.tokens[self.tokens.len() - 1];
        let answer = if self.sampler.is_greedy() {
            StepOutput::Likeliest
        } else {
            StepOutput::Drawn(self.sampler.draw(&self.tokens))
        };
        let wanted = StepRequest {
            answer,
            scores: self.scores,
        };
        let Some(pending) = decoder.step(InputToken::Token(last), self.cache, wanted)? else {
            return Ok(None);
        };
        self.sampler.drawn();
        let bytes = pending.read(gpu).await?;
        let chosen = SampledToken::from_bytes(&bytes, self.model.vocabulary())?;
        Ok(Some(Sampled {
            token: chosen.token,
            probability: chosen.probability,
        }))
    }

    /// A step by tensor operations.
    async fn plain_step(&mut self) -> Result<Sampled, Error> {
        let last = self.tokens[self.tokens.len() - 1];
        let logits = self.model.step(last, self.cache)?;
        let logits = self.device.read(logits).await?;
        Ok(self.sampler.sample(&logits, &self.tokens)?)
    }

    /// Whether `position` is beyond the model's context; says so the first time.
    fn note_position(&mut self, position: usize) -> bool {
        let context = self.model.context();
        let past = position >= context;
        if past && !self.past_context {
            self.past_context = true;
            log::warn!(
                "position {position} is beyond the model's context of {context}: the generation goes on, but the model \
                 was not made for this"
            );
        }
        past
    }

    /// The text that `token` makes certain. Finds out whether the token is the last.
    fn spell(&mut self, token: u32) -> String {
        let mut text = String::new();
        if self.stop_tokens.contains(&token) {
            self.finish = Some(FinishReason::StopToken);
        } else {
            let piece = self.spelling.push(token);
            text = self.stop.push(&piece);
            if self.new_tokens().len() == self.config.max_new_tokens {
                self.finish = Some(FinishReason::Length);
            }
        }
        if self.finish.is_some() {
            let left = self.spelling.finish();
            text += &self.stop.push(&left);
        }
        if self.stop.stopped() {
            self.finish = Some(FinishReason::StopString);
        } else if self.finish.is_some() {
            text += &self.stop.finish();
        }
        self.text.push_str(&text);
        text
    }
}
