//! A decode step as a few fused kernels per layer, recorded without burn. A token takes one
//! submission and one small readback. Kernels are compiled, bound and given their buffers once; a
//! step only records dispatches. Their WGSL is in `shaders/decode`, their list in `kernels.rs`.
//!
//! | kernel | computes |
//! | --- | --- |
//! | `embed` | the token's row of the embedding |
//! | `project_heads` | norm, queries, keys and values, RoPE; new key and value into their slots |
//! | `finish_heads` | of models with a norm of all heads: that norm, RoPE, rows into their slots |
//! | `store_heads` | of quantised caches: query, key and value into the frame, rows into slots |
//! | `attend`, `combine` | attention over the cache, split along its slots |
//! | `evict` | scores, and the slots that are evicted; only at steps that score or evict |
//! | `add_product` | output matrix and residual; down matrix and residual |
//! | `add_normed` | of models with norms after: that norm, and residual |
//! | `gate_up` | norm, gate and up, SiLU or GELU |
//! | `logits` | last norm and output matrix |
//! | `choose_parts`, `choose` | the likeliest token and its probability |
//! | `draw` | in the place of `choose`: a token drawn by the sampling configuration |
//! | `likeliest` | the likeliest tokens and their logprobs; only where they are to be reported |
//!
//! The tensor operations of [`crate::cache`] and [`crate::model`] are the specification: tests
//! compare every step with them.

mod bare;
mod bindings;
mod buffers;
mod build;
mod draw;
mod draw_words;
mod kernels;
mod layer;
mod logits;
mod order_words;
mod pipeline;
mod pipelines;
mod plan;
mod report;
mod sizes;
mod submission;
mod tuning;
mod variant;
mod weights;

use crate::Error;
use crate::cache::ScopeCache;
use crate::device::{Gpu, Readback};
use crate::generate::{Choice, InputToken, MOST_LOGPROBS, PendingToken, StepDecoder, StepRequest};
use crate::model::Llama;
use buffers::{AttentionScratch, StepBuffers};
use draw::DrawKernel;
use kernels::attend_grid;
use layer::LayerKernels;
pub use logits::PendingLogits;
pub use order_words::{LayerStep, StepHeader, vectors as step_vectors, words as step_words};
pub use pipeline::{BoundKernel, DecodePipeline};
pub use pipelines::Pipelines;
use plan::StepPlan;
use report::report_bytes;
pub use sizes::{Activations, DecodeSizes, Features, NONE, SPLIT};
pub use submission::StepCounts;
use submission::{Dispatch, Recorder, Submission};
pub use tuning::{KnownTunings, Tuning};
pub use variant::{KernelVariant, MatrixSpec, ShaderSources};
use weights::ModelWeights;

/// Runs fused decode steps. Buffers, bind groups and pipelines are created once; a layer is rebound
/// only after its cache was reallocated.
pub struct FusedDecoder {
    /// A copy, which shares its memory with the model and keeps it alive.
    model: Llama,
    gpu: Gpu,
    pipelines: Pipelines,
    sizes: DecodeSizes,
    tuning: Tuning,
    weights: ModelWeights,
    buffers: StepBuffers,

    embed: Dispatch,
    layers: Vec<LayerKernels>,
    logits: Dispatch,
    choose_parts: Dispatch,
    choose: Dispatch,
    /// Bound when a token is drawn for the first time.
    draw: Option<DrawKernel>,
    /// Bound when the likeliest tokens are to be reported for the first time.
    likeliest: Option<Dispatch>,

    /// Held here, since in the browser a buffer that only a bind group refers to counts as dropped.
    scratch: Option<AttentionScratch>,
    /// Layers whose next slots the next step has to find: those bound since the last one.
    layers_without_next_slot: Vec<usize>,
    /// Used in turn, so that a step may begin before the report of the last one has been read.
    report_readbacks: [Readback; 2],
    logits_readback: Option<Readback>,
    counts: StepCounts,
}

impl StepDecoder for FusedDecoder {
    fn step(
        &mut self,
        input: InputToken,
        cache: &mut ScopeCache,
        request: StepRequest<'_>,
    ) -> Result<Option<PendingToken>, Error> {
        if let (Choice::Drawn(_), None) = (request.choice, &self.draw) {
            self.draw = Some(DrawKernel::bind(&self.binder())?);
        }
        if request.likeliest > 0 && self.likeliest.is_none() {
            self.likeliest = Some(self.binder().likeliest()?);
        }
        let Some(plan) = self.plan(input, cache, request.scores)? else {
            return Ok(None);
        };
        let mut submission = Submission::new(&self.gpu);
        self.upload(&mut submission, input, &plan);
        let vocabulary = self.sizes.vocabulary;
        let choose = match (request.choice, &self.draw) {
            (Choice::Drawn(draw), Some(kernel)) => {
                kernel.upload(&mut submission, &draw, vocabulary);
                &kernel.dispatch
            }
            _ => &self.choose,
        };

        let mut recorder = submission.record();
        self.record(&mut recorder, &plan);
        recorder.dispatch(&self.choose_parts);
        recorder.dispatch(choose);
        let likeliest = self.likeliest.as_ref().filter(|_| request.likeliest > 0);
        if let Some(likeliest) = likeliest {
            recorder.dispatch(likeliest);
        }
        drop(recorder);

        self.report_readbacks.swap(0, 1);
        let [readback, _] = &self.report_readbacks;
        let bytes = report_bytes(request.likeliest.min(MOST_LOGPROBS));
        let (pending, counts) = submission.submit(&self.buffers.report, readback, bytes);
        self.counts = counts;
        self.layers_without_next_slot.clear();
        Ok(Some(report::token(pending, &self.gpu, vocabulary)))
    }
}

impl FusedDecoder {
    /// Records a decode step up to its logits.
    fn record(&self, recorder: &mut Recorder<'_>, plan: &StepPlan) {
        for &layer in &self.layers_without_next_slot {
            recorder.dispatch(&self.layers[layer].first_empty);
        }
        recorder.dispatch(&self.embed);
        for (layer, step) in self.layers.iter().zip(&plan.layers) {
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
            recorder.dispatch(&layer.combine);
            if step.order.scored {
                recorder.select(&layer.evict);
            }
            recorder.dispatch(&layer.output);
            if let Some(normed) = &layer.attention_post_norm {
                recorder.dispatch(normed);
            }
            recorder.dispatch(&layer.gate_up);
            recorder.dispatch(&layer.down);
            if let Some(normed) = &layer.feed_forward_post_norm {
                recorder.dispatch(normed);
            }
        }
        recorder.dispatch(&self.logits);
    }

    /// Counts of the last step.
    pub fn counts(&self) -> StepCounts {
        self.counts
    }
}
