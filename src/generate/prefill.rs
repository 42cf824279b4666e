//! The prompt, chunk by chunk.

use std::ops::ControlFlow;
use std::pin::pin;

use futures_util::future::{Either, select};
use web_time::Instant;

use super::model::{LanguageModel, Spelling};
use super::{FinishReason, Generation};
use crate::Error;

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
    /// Those of the model, the cache and the device. The generation has then ended.
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
        match taken {
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
                self.roll_back(before).await;
                Err(error)
            }
        }
    }

    /// The logits after the prompt; `None` if it was cancelled.
    async fn take_prompt(
        &mut self,
        mut progress: impl FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Option<Vec<f32>>, Error> {
        let total = self.prompt_tokens;
        self.cache.reserve(total);
        self.cache.expect_new_tokens(self.config.max_new_tokens)?;
        let mut done = 0;
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

    /// Truncates the cache to a length that every layer had. A lost device's cache is lost too.
    pub(super) async fn roll_back(&mut self, length: usize) {
        self.cache.reserve(0);
        let truncated = self.cache.truncate(length);
        match select(pin!(self.device.lost()), pin!(truncated)).await {
            Either::Left(_) | Either::Right((Ok(_), _)) => {}
            Either::Right((Err(error), _)) => {
                log::warn!("the cache could not be brought back to position {length}: {error}")
            }
        }
    }
}
