//! The step loop.

use std::ops::ControlFlow;

use web_time::Instant;

use super::model::{LanguageModel, Spelling};
use super::step::rate;
use super::{
    CacheSlots, Cancel, Choice, DecoderFactory, FinishReason, GenerateConfig, InputToken,
    SampledToken, Sampler, Step, StepDecoder, StepRequest, StopStrings, Summary,
};
use crate::Error;
use crate::cache::ScopeCache;
use crate::device::ComputeDevice;

/// A prompt and the tokens that a model generates after it.
///
/// [`prefill`](Self::prefill) processes the prompt, each [`next`](Self::next) returns a token.
/// However the generation ends, [`tokens`](Self::tokens), [`text`](Self::text) and
/// [`summary`](Self::summary) have everything up to there.
pub struct Generation<'a, M, S> {
    pub(super) model: &'a M,
    pub(super) cache: &'a mut ScopeCache,
    pub(super) device: &'a ComputeDevice,
    pub(super) config: GenerateConfig,
    pub(super) cancel: Cancel,
    pub(super) prompt_tokens: usize,
    /// The prompt's first tokens, which the cache has seen already.
    pub(super) held: usize,
    /// The prompt's tokens, then the new ones.
    pub(super) tokens: Vec<u32>,
    /// Tokens that the cache has seen, of a session.
    seen: Option<&'a mut Vec<u32>>,
    pub(super) prefilled: bool,
    /// Logits after the prompt, until the first token is chosen by them.
    pub(super) logits: Option<Vec<f32>>,
    pub(super) prefill_ms: f64,
    pub(super) finish: Option<FinishReason>,
    pub(super) failed: bool,
    spelling: S,
    stop_tokens: Vec<u32>,
    stop: StopStrings,
    sampler: Sampler,
    path: Path<'a>,
    /// `true` to score every slot at every step.
    scores: bool,
    /// `true` until the text has begun, if it is to begin without a space.
    strips_space: bool,
    text: String,
    decode_ms: f64,
    past_context: bool,
}

/// Computation of decode steps.
enum Path<'a> {
    /// By the model's tensor operations.
    Tensors,
    /// By a decoder, if the factory makes one: the first step finds out.
    Undecided(&'a dyn DecoderFactory),
    /// By a decoder, except steps that it refuses.
    Fused(Box<dyn StepDecoder>),
}

impl<'a, M: LanguageModel, S: Spelling> Generation<'a, M, S> {
    /// Prepares to continue `prompt` with a model on `device`, after what `cache` has seen. Nothing
    /// is computed yet.
    ///
    /// # Errors
    ///
    /// [`GenerateError::Config`], [`GenerateError::EmptyPrompt`] or
    /// [`GenerateError::PromptTooLong`].
    pub fn new(
        model: &'a M,
        device: &'a ComputeDevice,
        spelling: S,
        end_of_turn: &[u32],
        cache: &'a mut ScopeCache,
        prompt: Vec<u32>,
        config: GenerateConfig,
    ) -> Result<Self, Error> {
        let tokens = prompt.len();
        config.check_prompt(tokens, model.context())?;
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
            held: 0,
            tokens: prompt,
            seen: None,
            prefilled: false,
            logits: None,
            prefill_ms: 0.0,
            finish: None,
            failed: false,
            spelling,
            stop_tokens,
            stop: StopStrings::new(config.stop.clone())?,
            sampler: Sampler::new(config.sampling.clone())?
                .with_bias(config.logit_bias.clone())
                .after_prompt(tokens)
                .with_likeliest(config.top_logprobs),
            path: Path::Tensors,
            scores: false,
            strips_space: false,
            text: String::new(),
            decode_ms: 0.0,
            past_context: false,
            config,
        })
    }

    /// Has every slot scored at every step, for readers of the [cache](Self::cache) as it goes.
    /// Otherwise the device may score only where it selects.
    #[must_use]
    pub fn with_scores(mut self, scores: bool) -> Self {
        self.scores = scores;
        self
    }

    /// Goes on from the tokens that the cache has `seen`, which are the first of the prompt. They
    /// are not computed again, and those that the cache sees now are added to them.
    #[must_use]
    pub(crate) fn after(mut self, seen: &'a mut Vec<u32>) -> Self {
        self.held = seen.len().min(self.prompt_tokens - 1);
        self.seen = Some(seen);
        self
    }

    /// Leaves out a space at the beginning of the text. SentencePiece's vocabularies write one
    /// before every answer. Stop strings are looked for before it is left out.
    #[must_use]
    pub fn without_first_space(mut self) -> Self {
        self.strips_space = true;
        self
    }

    /// Sets the handle that ends the generation before its next chunk or step.
    #[must_use]
    pub fn with_cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// Runs decode steps by the decoder that `factory` makes, if it makes one. The first step asks
    /// for it, so a generation of one token needs none.
    #[must_use]
    pub fn with_decoders(mut self, factory: &'a dyn DecoderFactory) -> Self {
        self.path = Path::Undecided(factory);
        self
    }

    /// The next token, or `None` when the generation has ended. Processes the prompt first if that
    /// has not been done.
    ///
    /// # Errors
    ///
    /// Those of the model, the cache and the device, and [`GenerateError::Logits`] or its cause,
    /// [`CacheError::NotFinite`](crate::cache::CacheError::NotFinite). The generation has then
    /// ended. After a model's error the cache is truncated to its length before the step.
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
        self.note_seen();
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
            logprob: chosen.logprob,
            likeliest: chosen.likeliest,
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

    /// The text generated so far: that of all steps, and [`rest`](Self::rest) after a cancelled or
    /// failed generation.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Ends the text, and returns the part that no step reported because it was not certain yet.
    /// Only a cancelled or failed generation has any.
    pub fn rest(&mut self) -> String {
        let left = self.spelling.finish();
        let rest = self.stop.push(&left) + &self.stop.finish();
        self.write(rest)
    }

    /// Counts, speeds and memory so far.
    pub fn summary(&self) -> Summary {
        let new_tokens = self.new_tokens().len();
        Summary {
            prompt_tokens: self.prompt_tokens,
            cached_tokens: self.held,
            new_tokens,
            prefill_ms: self.prefill_ms,
            decode_ms: self.decode_ms,
            prefill_tokens_per_second: if self.prefilled {
                rate(self.prompt_tokens - self.held, self.prefill_ms)
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

    /// Brings a session's tokens to the cache's length.
    pub(super) fn note_seen(&mut self) {
        if let Some(seen) = &mut self.seen {
            let length = self.cache.position();
            seen.truncate(length);
            seen.extend_from_slice(self.tokens.get(seen.len()..length).unwrap_or_default());
        }
    }

    fn new_tokens(&self) -> &[u32] {
        &self.tokens[self.prompt_tokens..]
    }

    /// The next token, by the prompt's logits or by a step on the last token.
    async fn choose(&mut self) -> Result<SampledToken, Error> {
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
        let stepped = match stepped {
            Ok(chosen) => Ok(chosen),
            Err(error) => Err(self.cause_of(error).await),
        };
        if stepped.is_err() {
            self.roll_back(before).await;
        } else if self.cache.memory().held_bytes != held {
            // A cache that has grown by a block has left its old memory behind.
            self.device.release_unused().await?;
        }
        stepped
    }

    /// A step by the decoder; `None` if there is none, or if it refuses the step.
    async fn fused_step(&mut self) -> Result<Option<SampledToken>, Error> {
        if let Path::Undecided(factory) = self.path {
            self.path = match factory.decoder(self.cache)? {
                Some(decoder) => Path::Fused(decoder),
                None => Path::Tensors,
            };
        }
        let Path::Fused(decoder) = &mut self.path else {
            return Ok(None);
        };
        let last = self.tokens[self.tokens.len() - 1];
        let choice = if self.sampler.is_greedy() {
            Choice::Likeliest
        } else {
            Choice::Drawn(self.sampler.draw(&self.tokens))
        };
        let request = StepRequest {
            choice,
            scores: self.scores,
            likeliest: self.config.top_logprobs,
        };
        let Some(pending) = decoder.step(InputToken::Token(last), self.cache, request)? else {
            return Ok(None);
        };
        self.sampler.drawn();
        Ok(Some(pending.await?))
    }

    /// A step by tensor operations.
    async fn plain_step(&mut self) -> Result<SampledToken, Error> {
        let last = self.tokens[self.tokens.len() - 1];
        let logits = self.model.step(last, self.cache)?;
        let logits = self.device.read(logits).await?;
        Ok(self.sampler.sample(&logits, &self.tokens)?)
    }

    /// `true` if `position` is beyond the model's context; logs a warning the first time.
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

    /// The text that `token` makes certain. Also notes whether the token ends the generation.
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
        self.write(text)
    }

    /// Appends to the text, and returns what was appended.
    fn write(&mut self, mut text: String) -> String {
        if self.strips_space && !text.is_empty() {
            self.strips_space = false;
            if text.starts_with(' ') {
                text.remove(0);
            }
        }
        self.text.push_str(&text);
        text
    }
}
