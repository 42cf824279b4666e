//! The prompt, chunk by chunk.

use std::ops::ControlFlow;
use std::pin::pin;

use burn::tensor::Tensor;
use futures_util::future::{Either, select};
use web_time::Instant;

use super::model::{LanguageModel, Spelling, read};
use super::{FinishReason, Generation};
use crate::Error;

impl<M: LanguageModel, S: Spelling> Generation<'_, M, S> {
    /// Takes the prompt in, unless that has been done, and compresses the cache. `progress` is told after each chunk how
    /// many of the prompt's tokens the device is done with and how many there are; where it breaks, the generation is
    /// cancelled.
    ///
    /// Cancelled or failed, the cache is [truncated](crate::cache::ScopeCache::truncate) to the position it had: it holds
    /// what it held, but all of that counts as prompt.
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
                self.go_back(before).await;
                Ok(())
            }
            Err(error) => {
                self.failed = true;
                self.go_back(before).await;
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
                let logits = read(logits, self.gpu).await?;
                self.give_back().await?;
                if progress(total, total).is_break() {
                    self.finish = Some(FinishReason::Cancelled);
                }
                return Ok(Some(logits));
            }
            // Whatever is read, the device has then done all that was asked of it before.
            read(Tensor::<1>::zeros([1], &logits.device()), self.gpu).await?;
            done = end;
            if progress(done, total).is_break() {
                return Ok(None);
            }
        }
    }

    /// Gives back what the device keeps of the memory that the cache no longer has.
    pub(super) async fn give_back(&self) -> Result<(), Error> {
        match self.gpu {
            Some(gpu) => Ok(gpu.release_unused().await?),
            None => Ok(()),
        }
    }

    /// Brings the cache back to a length that every layer had. If the device is gone, so is the cache.
    pub(super) async fn go_back(&mut self, length: usize) {
        self.cache.reserve(0);
        let truncated = self.cache.truncate(length);
        let truncated = match self.gpu {
            Some(gpu) => match select(pin!(gpu.lost()), pin!(truncated)).await {
                Either::Left(_) => return,
                Either::Right((truncated, _)) => truncated,
            },
            None => truncated.await,
        };
        if let Err(error) = truncated {
            log::warn!("the cache could not be brought back to position {length}: {error}");
        }
    }
}
