//! A step reduced to its products and its attention, for measuring what the rest of a step costs.

use super::kernels::attend_grid;
use super::report::report_bytes;
use super::submission::Submission;
use super::{FusedDecoder, LayerStep, StepHeader, step_words};
use crate::Error;
use crate::cache::ScopeCache;
use crate::device::Pending;

impl FusedDecoder {
    /// Runs only the products with the model's matrices, and attention over the slots that `cache`
    /// has. What a step takes beyond this is the cost of selection, bookkeeping and waiting.
    ///
    /// The result is nonsense, and so is the cache afterwards. [`counts`](Self::counts) stay as
    /// they were.
    ///
    /// # Errors
    ///
    /// As [`StepDecoder::step`](crate::generate::StepDecoder::step).
    pub fn bare_step(&mut self, cache: &mut ScopeCache) -> Result<Option<Pending>, Error> {
        self.prepare(cache)?;
        let capacities = (0..self.sizes.layers).map(|layer| cache.capacity(layer));
        let steps = capacities.map(|capacity| LayerStep {
            capacity,
            ..LayerStep::default()
        });
        let steps: Vec<LayerStep> = steps.collect();
        let words = step_words(
            &self.sizes,
            StepHeader::new(cache.position(), 0),
            [],
            &steps,
        );

        let mut submission = Submission::new(&self.gpu);
        submission.upload(&self.buffers.step, &words);
        let mut recorder = submission.record();
        for (layer, step) in self.layers.iter().zip(&steps) {
            for project in &layer.project {
                recorder.dispatch(project);
            }
            if let Some(finish) = &layer.finish {
                recorder.dispatch(finish);
            }
            if let Some(store) = &layer.store {
                recorder.dispatch(store);
            }
            recorder.dispatch_over(&layer.attend, attend_grid(&self.sizes, step.capacity));
            recorder.dispatch(&layer.output);
            recorder.dispatch(&layer.gate_up);
            recorder.dispatch(&layer.down);
        }
        recorder.dispatch(&self.logits);
        drop(recorder);
        let [readback, _] = &self.report_readbacks;
        let (pending, _) = submission.submit(&self.buffers.report, readback, report_bytes(0));
        Ok(Some(pending))
    }
}
