//! A step that brings back all logits instead of a token.

use futures_util::future::LocalBoxFuture;

use super::FusedDecoder;
use super::report::floats;
use super::submission::Submission;
use crate::Error;
use crate::cache::ScopeCache;
use crate::device::Readback;
use crate::generate::InputToken;

/// A step's logits, `[vocabulary]` in f32, on their way from the device.
pub type PendingLogits = LocalBoxFuture<'static, Result<Vec<f32>, Error>>;

impl FusedDecoder {
    /// Does a step that brings back its logits, `[vocabulary]` in f32, and chooses no token. Only
    /// one such result may be on its way. Otherwise as
    /// [`StepDecoder::step`](crate::generate::StepDecoder::step).
    ///
    /// # Errors
    ///
    /// As [`StepDecoder::step`](crate::generate::StepDecoder::step).
    pub fn step_logits(
        &mut self,
        input: InputToken,
        cache: &mut ScopeCache,
        scores: bool,
    ) -> Result<Option<PendingLogits>, Error> {
        let Some(plan) = self.plan(input, cache, scores)? else {
            return Ok(None);
        };
        let mut submission = Submission::new(&self.gpu);
        self.upload(&mut submission, input, &plan);
        self.record(&mut submission.record(), &plan);

        let bytes = 4 * self.sizes.vocabulary as u64;
        let readback = self
            .logits_readback
            .get_or_insert_with(|| Readback::new(&self.gpu, bytes));
        let (pending, counts) = submission.submit(&self.buffers.logits, readback, bytes);
        self.counts = counts;
        self.layers_without_next_slot.clear();
        let gpu = self.gpu.clone();
        Ok(Some(Box::pin(async move {
            Ok(pending.read_with(&gpu, floats).await?)
        })))
    }
}
