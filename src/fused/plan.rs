//! Planning a step before anything is recorded: checks, room in the cache, an order per layer.

use super::buffers::AttentionScratch;
use super::layer::LayerKernels;
use super::submission::Submission;
use super::{FusedDecoder, LayerStep, StepHeader, step_words};
use crate::Error;
use crate::cache::{CacheError, ScopeCache};
use crate::generate::InputToken;

/// The decisions of a step, made before anything is recorded.
pub(super) struct StepPlan {
    /// Content of the step buffer.
    pub words: Vec<u32>,
    /// One per layer.
    pub layers: Vec<LayerStep>,
}

impl FusedDecoder {
    /// Prepares `cache` for the token `input`, and decides what every layer does; `None` if the
    /// step needs tensor operations.
    pub(super) fn plan(
        &mut self,
        input: InputToken,
        cache: &mut ScopeCache,
        scores: bool,
    ) -> Result<Option<StepPlan>, Error> {
        self.gpu.check()?;
        if let InputToken::Token(token) = input {
            self.model.check_tokens(&[token])?;
        }
        self.model.check_cache(cache)?;
        if cache.config().cache_type != self.sizes.types {
            return Ok(None);
        }
        self.prepare(cache)?;
        let position = cache.position();
        let ropes = self.model.ropes.iter();
        let angles = ropes.map(|rope| {
            let (cosines, sines) = rope.rows(position, 1);
            let pairs = cosines.into_iter().zip(sines);
            pairs.map(<[f32; 2]>::from).collect()
        });
        let growth = self.model.config().facts.query_growth;
        let orders = cache.plan_step(scores).into_iter().enumerate();
        let layers = orders.map(|(layer, order)| LayerStep {
            capacity: cache.capacity(layer),
            order,
        });
        let layers: Vec<LayerStep> = layers.collect();
        let header = StepHeader {
            position,
            // With the token counted: it is attended to, and so is its exact row.
            exact_from: cache.exact_from(),
            query_factor: growth.map_or(1.0, |growth| growth.factor(position)),
        };
        let words = step_words(&self.sizes, header, angles, &layers);
        Ok(Some(StepPlan { words, layers }))
    }

    /// Uploads what the kernels read of a step.
    pub(super) fn upload(
        &self,
        submission: &mut Submission<'_>,
        input: InputToken,
        plan: &StepPlan,
    ) {
        submission.upload(&self.buffers.step, &plan.words);
        if let InputToken::Token(token) = input {
            submission.upload(&self.buffers.token, &[token]);
        }
    }

    /// Makes room for a token in `cache`, and binds the layers whose memory is new.
    pub(super) fn prepare(&mut self, cache: &mut ScopeCache) -> Result<(), Error> {
        cache.prepare_fused_step()?;
        let (device, queue) = self.gpu.wgpu();
        let scratch = match self.scratch.take() {
            Some(scratch) if scratch.fits(cache) => scratch,
            _ => {
                self.layers.clear();
                self.layers_without_next_slot.clear();
                AttentionScratch::new(device, &self.sizes, cache)
            }
        };
        for layer in 0..self.sizes.layers {
            let stamp = cache.stamp(layer);
            let bound = self.layers.get(layer);
            if bound.is_some_and(|bound| bound.stamp == stamp) {
                continue;
            }
            let memory = cache.buffers(layer)?;
            let memory = memory.ok_or(CacheError::NoPrompt { layer })?;
            self.buffers.write_place(queue, layer, memory.capacity);
            let kernels = LayerKernels::bind(
                &self.binder(),
                &self.weights,
                layer,
                &memory,
                stamp,
                &scratch,
            )?;
            match self.layers.get_mut(layer) {
                Some(bound) => *bound = kernels,
                None => self.layers.push(kernels),
            }
            self.layers_without_next_slot.push(layer);
        }
        self.scratch = Some(scratch);
        Ok(())
    }
}
