//! Making a decoder: weights, buffers, and the kernels that do not depend on a cache.

use super::buffers::StepBuffers;
use super::kernels::Binder;
use super::order_words::vectors as step_vectors;
use super::report::MOST_REPORT_BYTES;
use super::tuning::measure::{default_tuning, measure_tuning};
use super::weights::{ModelWeights, sizes};
use super::{DecodeSizes, FusedDecoder, KnownTunings, Pipelines, StepCounts, Tuning};
use crate::Error;
use crate::cache::{CacheTypes, ScopeCache};
use crate::device::{Gpu, Processor, Readback};
use crate::model::Llama;

/// Storage buffers per kernel that the kernels need, the number that WebGPU guarantees.
pub(super) const STORAGE_BUFFERS: u32 = 8;

impl FusedDecoder {
    /// Picks the fastest tuning for `gpu` and notes it in `pipelines` and `known`. Free if `known`
    /// already has it, else well under a second; without it, decoders go by the kind of adapter.
    ///
    /// Nothing is measured on an adapter on a CPU. Compiling the candidates would take longer than
    /// the fastest of them can save. `cargo xtask bench --only products` found [`Tuning::SERIAL`]
    /// the fastest there, or [`Tuning::LIGHT`] for a small model. They get quad loads if shaders
    /// with quads compile quickly.
    ///
    /// # Errors
    ///
    /// The device's.
    pub async fn tune(
        model: &Llama,
        pipelines: &Pipelines,
        gpu: &Gpu,
        known: &mut KnownTunings,
    ) -> Result<Option<Tuning>, Error> {
        if gpu.processor() != Processor::Gpu {
            let tuning = default_tuning(model, gpu);
            return Ok(sizes(model, CacheTypes::default()).map(|_| tuning));
        }
        Self::tune_by_trial(model, pipelines, gpu, known).await
    }

    /// As [`tune`](Self::tune), but measures on every adapter.
    ///
    /// # Errors
    ///
    /// The device's.
    pub async fn tune_by_trial(
        model: &Llama,
        pipelines: &Pipelines,
        gpu: &Gpu,
        known: &mut KnownTunings,
    ) -> Result<Option<Tuning>, Error> {
        let found = measure_tuning(model, pipelines, gpu, known).await?;
        if let Some(tuning) = found {
            pipelines.set_tuning(tuning);
        }
        Ok(found)
    }

    /// A decoder for caches like `cache`; `None` if the kernels do not support the model's sizes or
    /// the device's limits. Kernels that `pipelines` has are not compiled again.
    ///
    /// # Errors
    ///
    /// [`KernelError`](crate::kernels::KernelError) if the device does not answer.
    pub fn new(
        model: &Llama,
        pipelines: &Pipelines,
        gpu: &Gpu,
        cache: &ScopeCache,
    ) -> Result<Option<Self>, Error> {
        let found = pipelines.tuning();
        let tuning = found.unwrap_or_else(|| default_tuning(model, gpu));
        Self::tuned(model, pipelines, gpu, cache, tuning)
    }

    /// As [`new`](Self::new), by a given tuning.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn tuned(
        model: &Llama,
        pipelines: &Pipelines,
        gpu: &Gpu,
        cache: &ScopeCache,
        tuning: Tuning,
    ) -> Result<Option<Self>, Error> {
        let (device, _) = gpu.wgpu();
        let sizes = sizes(model, cache.config().cache_type);
        let sizes = sizes.filter(|sizes| within_limits(&device.limits(), sizes));
        let (Some(sizes), Some(weights)) = (sizes, ModelWeights::of(model)?) else {
            return Ok(None);
        };
        let buffers = StepBuffers::new(device, &sizes);
        let binder = Binder {
            gpu,
            pipelines,
            sizes: &sizes,
            tuning,
            buffers: &buffers,
        };
        Ok(Some(Self {
            model: model.clone(),
            gpu: gpu.clone(),
            pipelines: pipelines.clone(),
            sizes,
            tuning,
            embed: binder.embed(&weights.embedding, weights.norm_after(0))?,
            layers: Vec::new(),
            logits: binder.logits(&weights.output)?,
            choose_parts: binder.choose_parts()?,
            choose: binder.choose()?,
            draw: None,
            likeliest: None,
            scratch: None,
            layers_without_next_slot: Vec::new(),
            report_readbacks: [(); 2].map(|()| Readback::new(gpu, MOST_REPORT_BYTES)),
            logits_readback: None,
            counts: StepCounts::default(),
            weights,
            buffers,
        }))
    }

    /// Binds kernels to this decoder's buffers.
    pub(super) fn binder(&self) -> Binder<'_> {
        Binder {
            gpu: &self.gpu,
            pipelines: &self.pipelines,
            sizes: &self.sizes,
            tuning: self.tuning,
            buffers: &self.buffers,
        }
    }
}

/// `true` if the kernels' bindings for `sizes` are within `limits`.
fn within_limits(limits: &wgpu::Limits, sizes: &DecodeSizes) -> bool {
    limits.max_storage_buffers_per_shader_stage >= STORAGE_BUFFERS
        && 16 * step_vectors(sizes) as u64 <= limits.max_uniform_buffer_binding_size
        && 4 * sizes.vocabulary as u64 <= limits.max_storage_buffer_binding_size
}
