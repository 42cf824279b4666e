//! The prompt, chunk by chunk.

use std::ops::ControlFlow;
use std::pin::pin;

use futures_util::future::{Either, select};
use web_time::Instant;

use super::model::{LanguageModel, Spelling};
use super::sampler::check;
use super::{FinishReason, GenerateError, Generation};
use crate::Error;
use crate::cache::CacheError;

impl<M: LanguageModel, S: Spelling> Generation<'_, M, S> {
    /// Takes the prompt in, unless that has been done, and compresses the cache.
    ///
    /// After each chunk, `progress` is told how many of the prompt's tokens the device is done
    /// with, and their total. If it breaks, the generation is cancelled. Cancelled or failed, the
    /// cache is [truncated](crate::cache::ScopeCache::truncate) to its earlier position. It holds
    /// the same slots, but all of them count as prompt.
    ///
    /// # Errors
    ///
    /// Those of the model, the cache and the device, and [`GenerateError::Logits`]. The generation
    /// has then ended.
    pub async fn prefill(
        &mut self,
        progress: impl FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        if self.prefilled || self.ended() {
            return Ok(());
        }
        let start = Instant::now();
        let before = self.cache.position();
        let taken = self.take_prompt(progress).await;
        self.prefill_ms = start.elapsed().as_secs_f64() * 1000.0;
        let taken = match taken {
            Ok(Some(logits)) => {
                self.prefilled = true;
                self.logits = Some(logits);
                Ok(())
            }
            Ok(None) => {
                self.finish = Some(FinishReason::Cancelled);
                self.roll_back(before).await;
                Ok(())
            }
            Err(error) => {
                self.failed = true;
                let error = self.cause_of(error).await;
                self.roll_back(before).await;
                Err(error)
            }
        };
        self.note_seen();
        taken
    }

    /// The logits after the prompt; `None` if it was cancelled.
    async fn take_prompt(
        &mut self,
        mut progress: impl FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Option<Vec<f32>>, Error> {
        let total = self.prompt_tokens;
        let mut done = self.held;
        self.cache.reserve(total - done);
        self.cache.expect_new_tokens(self.config.max_new_tokens)?;
        loop {
            if self.cancel.is_cancelled() {
                return Ok(None);
            }
            let end = total.min(done + self.config.prefill_chunk);
            let last = end == total;
            let chunk = &self.tokens[done..end];
            let logits = self.model.append(chunk, self.cache, last)?;
            if last {
                for layer in 0..self.cache.config().layers {
                    self.cache.finish_prefill(layer)?;
                }
                let logits = self.device.read(logits).await?;
                check(&logits)?;
                // Frees the chunks' work space, and what compression left behind.
                self.device.release_unused().await?;
                if progress(total, total).is_break() {
                    self.finish = Some(FinishReason::Cancelled);
                }
                return Ok(Some(logits));
            }
            self.device.settle().await?;
            done = end;
            if progress(done, total).is_break() {
                return Ok(None);
            }
        }
    }

    /// `error`, or what the cache holds as the cause of logits that are no numbers.
    pub(super) async fn cause_of(&self, error: Error) -> Error {
        if !matches!(error, Error::Generate(GenerateError::Logits { .. })) {
            return error;
        }
        let checked = self.cache.check_finite();
        match select(pin!(self.device.lost()), pin!(checked)).await {
            Either::Right((Err(cause @ CacheError::NotFinite { .. }), _)) => cause.into(),
            _ => error,
        }
    }

    /// Truncates the cache to a length that every layer had, or empties it. A lost device's cache
    /// is lost too.
    pub(super) async fn roll_back(&mut self, length: usize) {
        self.cache.reserve(0);
        let truncated = {
            let truncated = self.cache.truncate(length);
            match select(pin!(self.device.lost()), pin!(truncated)).await {
                Either::Left(_) => Ok(()),
                Either::Right((result, _)) => result,
            }
        };
        if let Err(error) = truncated {
            log::warn!("the cache could not be brought back to position {length}: {error}");
            // Empty, it is at least of one length in all layers.
            self.cache.reset();
        }
    }
}
