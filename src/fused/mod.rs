//! A decode step as a few fused kernels a layer, launched without burn, with one submission
//! and one small readback per token: what is compiled, bound and allocated is so once,
//! and a step only records dispatches. `shaders/decode` has their code.
//!
//! | kernel | what it does |
//! | --- | --- |
//! | `embed` | the token's row of the embedding |
//! | `project_heads` | norm, queries, keys and values, RoPE; the new key and value go into their slots |
//! | `attend`, `combine` | attention over the cache, split over its length |
//! | `evict` | scores, and the slots that are emptied; only at steps at which the rule acts |
//! | `add_product` | output matrix and residual; down matrix and residual |
//! | `gate_up` | norm, gate and up, SiLU |
//! | `logits` | last norm and output matrix |
//! | `choose_parts`, `choose` | the likeliest token and its probability |
//!
//! The tensor operations of [`crate::cache`] and [`crate::model`] are what all of them together are tested against.

mod draw;
mod kernels;
mod layer;
mod order_words;
mod pipeline;
mod sizes;
mod tuning;
mod variant;
mod weights;

use crate::Error;
use crate::cache::{CacheType, ScopeCache};
use crate::device::{Gpu, Pending, Processor, Readback};
use crate::generate::{InputToken, StepDecoder, StepOutput, StepRequest};
use crate::kernels::{BoundBuffer, buffer_of};
use crate::model::{Llama, Matrix};
use draw::Drawing;
pub(crate) use kernels::Pipelines;
use kernels::{Kernel, matrix_spec};
use layer::{LayerKernels, Work};
pub use order_words::{LayerStep, RecentSlots, vectors as step_vectors, words as step_words};
pub use pipeline::{BoundKernel, DecodePipeline};
pub use sizes::{Activations, DecodeSizes, NONE, SPLIT};
use tuning::measure as tune;
pub use tuning::{KnownTunings, Tuning};
pub use variant::{KernelVariant, MatrixSpec, ShaderSources};
use weights::LayerWeights;

/// Bytes of what the last kernel reports.
const REPORT_BYTES: u64 = 16;

/// A multiple of the alignment that WebGPU may ask of a part of a uniform buffer.
const PLACE_BYTES: u64 = 256;

/// The most workgroups along one side of a grid.
const GRID_SIDE: usize = 65_535;

/// Decodes tokens with a model and one cache after the other. Memory, bindings and compiled kernels are made when it is, and
/// again only where a cache has moved.
pub struct FusedDecoder {
    /// A copy, which shares its memory with the model and keeps it alive.
    model: Llama,
    gpu: Gpu,
    sizes: DecodeSizes,
    tuning: Tuning,
    buffers: StepBuffers,
    weights: Vec<LayerWeights>,
    last_norm: BoundBuffer,
    embed: BoundKernel,
    logits: BoundKernel,
    /// The logits kernel's grid.
    logits_grid: [u32; 2],
    choose_parts: BoundKernel,
    choose: BoundKernel,
    layers: Vec<LayerKernels>,
    /// What the layers are bound to. Held here, since in the browser a buffer that only a binding refers to counts as dropped.
    work: Option<Work>,
    /// Layers whose next slots are to be found at the next step.
    unsought: Vec<usize>,
    /// Used in turn, so that a step may begin before the result of the one before it has been read.
    reports: [Readback; 2],
    whole: Option<Readback>,
    /// What draws a token, once one was asked for.
    drawing: Option<Drawing>,
    counts: StepCounts,
}

/// What a step asked of the device; none of it depends on the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepCounts {
    /// Kernels launched.
    pub dispatches: usize,
    /// Of them, those that select what is evicted.
    pub selections: usize,
    /// Command buffers handed over.
    pub submissions: usize,
    /// Bytes written to the device.
    pub uploaded_bytes: u64,
    /// Bytes read back.
    pub read_bytes: u64,
}

/// The memory of a step, beside weights and cache.
struct StepBuffers {
    activations: BoundBuffer,
    token: BoundBuffer,
    logits: BoundBuffer,
    parts: BoundBuffer,
    report: BoundBuffer,
    step: BoundBuffer,
    /// A uniform a layer, [`PLACE_BYTES`] apart: its number, its capacity.
    places: BoundBuffer,
    /// The slot that each head's next token goes to.
    next: BoundBuffer,
    /// Largest logit and sum of exponentials of every query head.
    stats: BoundBuffer,
}

impl StepBuffers {
    fn new(device: &wgpu::Device, sizes: &DecodeSizes) -> Self {
        let storage = |bytes: usize| storage(device, bytes as u64);
        let uniform = |bytes: u64| uniform(device, bytes);
        Self {
            activations: storage(16 * sizes.activations().vectors),
            token: storage(4),
            logits: storage(4 * sizes.vocabulary),
            parts: storage(16 * sizes.parts()),
            report: storage(REPORT_BYTES as usize),
            step: uniform(16 * step_vectors(sizes) as u64),
            places: uniform(PLACE_BYTES * sizes.layers as u64),
            next: storage(4 * sizes.layers * sizes.kv_heads),
            stats: storage(8 * sizes.query_heads),
        }
    }

    fn place(&self, layer: usize) -> BoundBuffer {
        self.places.part(PLACE_BYTES * layer as u64, 16)
    }
}

/// A storage buffer of our own.
fn storage(device: &wgpu::Device, bytes: u64) -> BoundBuffer {
    BoundBuffer::whole(device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("kvscope step"),
        size: bytes.next_multiple_of(16),
        usage: wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    }))
}

/// A uniform buffer of our own.
fn uniform(device: &wgpu::Device, bytes: u64) -> BoundBuffer {
    BoundBuffer::whole(device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("kvscope step"),
        size: bytes,
        usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    }))
}

impl FusedDecoder {
    /// Finds out how work is shared out fastest on `gpu`, for the decoders that are made after it. Takes well under a second,
    /// unless `known` says it, where what was found is noted; without it, decoders go by what kind of adapter it is.
    ///
    /// On an adapter that computes on a CPU nothing is measured, as compiling what is to be tried would take longer there
    /// than it can save: [`Tuning::SERIAL`], or [`Tuning::LIGHT`] for a small model, was the fastest there by
    /// `cargo xtask bench --only products`, and in quads where shaders that use them are soon compiled.
    ///
    /// # Errors
    ///
    /// The device's.
    pub async fn tune(
        model: &Llama,
        gpu: &Gpu,
        known: &mut KnownTunings,
    ) -> Result<Option<Tuning>, Error> {
        if gpu.processor() != Processor::Gpu {
            let usual = tune::usual(model, gpu);
            return Ok(weights::sizes(model, CacheType::F16).map(|_| usual));
        }
        Self::tune_by_trial(model, gpu, known).await
    }

    /// As [`tune`](Self::tune), on every adapter by measuring.
    ///
    /// # Errors
    ///
    /// The device's.
    pub async fn tune_by_trial(
        model: &Llama,
        gpu: &Gpu,
        known: &mut KnownTunings,
    ) -> Result<Option<Tuning>, Error> {
        let found = tune::fastest(model, gpu, known).await?;
        if let Some(tuning) = found {
            model.pipelines.tune(tuning);
        }
        Ok(found)
    }

    /// For caches like `cache`; `None` where the kernels are not written for the model's sizes or the device's limits.
    ///
    /// # Errors
    ///
    /// [`KernelError`](crate::kernels::KernelError) where the device does not answer.
    pub fn new(model: &Llama, gpu: &Gpu, cache: &ScopeCache) -> Result<Option<Self>, Error> {
        let found = model.pipelines.tuning();
        let tuning = found.unwrap_or_else(|| tune::usual(model, gpu));
        Self::tuned(model, gpu, cache, tuning)
    }

    /// As [`new`](Self::new), with the work shared out as `tuning` says.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn tuned(
        model: &Llama,
        gpu: &Gpu,
        cache: &ScopeCache,
        tuning: Tuning,
    ) -> Result<Option<Self>, Error> {
        let Some(sizes) = weights::sizes(model, cache.config().cache_type) else {
            return Ok(None);
        };
        let (device, _) = gpu.wgpu();
        if !within_limits(&device.limits(), &sizes) {
            return Ok(None);
        }
        let output: &Matrix = model.output.as_ref().unwrap_or(&model.embedding);
        let ends = (weights::alone(&model.embedding)?, weights::alone(output)?);
        let (Some(weights), (Some(embedding), Some(output))) = (weights::layers(model)?, ends)
        else {
            return Ok(None);
        };
        let Some(first) = weights.first() else {
            return Ok(None);
        };

        let buffers = StepBuffers::new(device, &sizes);
        let pipeline = |kernel, particular| model.pipelines.get(device, kernel, &sizes, particular);
        let none = KernelVariant {
            tuning,
            ..KernelVariant::default()
        };
        let with = |matrix: MatrixSpec| KernelVariant {
            matrix: Some(matrix),
            ..none
        };

        let embed = pipeline(Kernel::Embed, with(matrix_spec(&embedding, 32)));
        let embed = embed.bind(
            device,
            &[
                planes(&embedding).as_slice(),
                &[
                    (2, &buffers.activations),
                    (3, &first.attention_norm),
                    (4, &buffers.token),
                ],
            ]
            .concat(),
        );
        let tile = LOGITS_TILE;
        let logits = pipeline(Kernel::Logits, with(matrix_spec(&output, tile)));
        let logits = logits.bind(
            device,
            &[
                planes(&output).as_slice(),
                &[(2, &buffers.activations), (3, &buffers.logits)],
            ]
            .concat(),
        );
        let tiles = sizes.vocabulary.div_ceil(tile);
        let line = tiles.min(GRID_SIDE);
        Ok(Some(Self {
            model: model.clone(),
            gpu: gpu.clone(),
            sizes,
            tuning,
            embed,
            logits,
            logits_grid: [line as u32, tiles.div_ceil(line) as u32],
            choose_parts: pipeline(Kernel::ChooseParts, none)
                .bind(device, &[(0, &buffers.logits), (1, &buffers.parts)]),
            choose: pipeline(Kernel::Choose, none).bind(
                device,
                &[
                    (0, &buffers.parts),
                    (1, &buffers.token),
                    (2, &buffers.report),
                ],
            ),
            layers: Vec::new(),
            work: None,
            unsought: Vec::new(),
            last_norm: buffer_of(model.norm.weight())?,
            reports: [(); 2].map(|()| Readback::new(gpu, REPORT_BYTES)),
            whole: None,
            drawing: None,
            counts: StepCounts::default(),
            buffers,
            weights,
        }))
    }

    /// What the last step asked of the device.
    pub fn counts(&self) -> StepCounts {
        self.counts
    }

    /// Runs, on `cache` as it is, only what no step can do without: its products with the model's matrices and its attention
    /// over the same slots. What a step takes beyond this is what selection, bookkeeping and waiting cost. The token that is
    /// computed is nonsense, and so is the cache afterwards.
    ///
    /// # Errors
    ///
    /// As [`StepDecoder::step`].
    pub fn bare_step(&mut self, cache: &mut ScopeCache) -> Result<Option<Pending>, Error> {
        if !self.ready(cache)? {
            return Ok(None);
        }
        let (device, queue) = self.gpu.wgpu();
        let capacities = (0..self.sizes.layers).map(|layer| cache.capacity(layer));
        let steps = capacities.map(|capacity| LayerStep {
            capacity,
            reach: capacity,
            ..LayerStep::default()
        });
        let steps: Vec<LayerStep> = steps.collect();
        let words = step_words(&self.sizes, cache.position(), std::iter::empty(), &steps);
        queue.write_buffer(self.buffers.step.buffer(), 0, bytemuck::cast_slice(&words));
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            for (kernels, step) in self.layers.iter().zip(&steps) {
                kernels.bare_step(&mut pass, &self.sizes, step);
            }
            self.logits.dispatch(&mut pass, self.logits_grid);
        }
        let [report, _] = &self.reports;
        report.copy(&mut encoder, self.buffers.report.buffer(), REPORT_BYTES);
        queue.submit([encoder.finish()]);
        Ok(Some(report.request(REPORT_BYTES)))
    }

    /// Makes ready for a step in `cache`'s memory; `false` where that can't be.
    fn ready(&mut self, cache: &mut ScopeCache) -> Result<bool, Error> {
        let ready = cache.ready()?;
        if ready {
            self.bind(cache)?;
        }
        Ok(ready)
    }

    /// Binds to `cache`'s memory every layer that is bound to other.
    fn bind(&mut self, cache: &ScopeCache) -> Result<(), Error> {
        let (device, queue) = self.gpu.wgpu();
        let work = match self.work.take() {
            Some(work) if work.serves(cache) => work,
            _ => {
                // With room to grow: whoever gets other memory to work in has all its layers bound anew.
                let slots = cache.most_capacity().next_power_of_two();
                self.layers.clear();
                Work::new(device, &self.sizes, slots)
            }
        };
        for layer in 0..self.weights.len() {
            let stamp = cache.stamp(layer);
            let bound = self.layers.get(layer);
            if bound.is_some_and(|bound| bound.stamp == stamp) {
                continue;
            }
            let Some(memory) = cache.buffers(layer)? else {
                return Err(crate::cache::CacheError::NoPrompt { layer }.into());
            };
            let place: Vec<u8> = [layer as u32, memory.capacity as u32, 0, 0]
                .iter()
                .flat_map(|word| word.to_le_bytes())
                .collect();
            let places = self.buffers.places.buffer();
            queue.write_buffer(places, PLACE_BYTES * layer as u64, &place);
            let kernels = LayerKernels::new(self, layer, &memory, stamp, &work);
            match self.layers.get_mut(layer) {
                Some(bound) => *bound = kernels,
                None => self.layers.push(kernels),
            }
            self.unsought.push(layer);
        }
        self.work = Some(work);
        Ok(())
    }
}

impl StepDecoder for FusedDecoder {
    fn step(
        &mut self,
        fed: InputToken,
        cache: &mut ScopeCache,
        wanted: StepRequest<'_>,
    ) -> Result<Option<Pending>, Error> {
        if let InputToken::Token(token) = fed {
            self.model.check_tokens(&[token])?;
        }
        self.model.check_cache(cache)?;
        let is_packed = cache.config().cache_type == CacheType::F16;
        if is_packed != self.sizes.packed || !self.ready(cache)? {
            return Ok(None);
        }
        let (device, queue) = self.gpu.wgpu();
        let position = cache.position();
        let (cosines, sines) = self.model.rope.rows(position, 1);
        let angles = cosines.into_iter().zip(sines).map(<[f32; 2]>::from);
        let steps = cache.advance(wanted.scores);
        let words = step_words(&self.sizes, position, angles, &steps);
        queue.write_buffer(self.buffers.step.buffer(), 0, bytemuck::cast_slice(&words));
        if let InputToken::Token(token) = fed {
            queue.write_buffer(self.buffers.token.buffer(), 0, &token.to_le_bytes());
        }
        let mut uploaded = 4 * words.len()
            + if matches!(fed, InputToken::Token(_)) {
                4
            } else {
                0
            };
        let choose = match wanted.answer {
            StepOutput::Logits => None,
            StepOutput::Likeliest => Some(&self.choose),
            StepOutput::Drawn(draw) => {
                let drawing = self.drawing.get_or_insert_with(|| {
                    Drawing::new(&self.model, device, &self.sizes, self.tuning, &self.buffers)
                });
                uploaded += drawing.prepare(queue, &draw, self.sizes.vocabulary);
                Some(&drawing.kernel)
            }
        };

        let unsought = std::mem::take(&mut self.unsought);
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            for layer in &unsought {
                self.layers[*layer].find_empty(&mut pass, &self.sizes);
            }
            let groups = self.sizes.width / 32;
            self.embed
                .dispatch(&mut pass, [groups.div_ceil(32) as u32, 1]);
            for (kernels, step) in self.layers.iter().zip(&steps) {
                kernels.step(&mut pass, &self.sizes, step);
            }
            self.logits.dispatch(&mut pass, self.logits_grid);
            if let Some(choose) = choose {
                let parts = self.sizes.parts() as u32;
                self.choose_parts.dispatch(&mut pass, [parts, 1]);
                choose.dispatch(&mut pass, [1, 1]);
            }
        }
        let (source, readback, bytes) = if choose.is_some() {
            self.reports.swap(0, 1);
            (self.buffers.report.buffer(), &self.reports[0], REPORT_BYTES)
        } else {
            let (gpu, bytes) = (&self.gpu, 4 * self.sizes.vocabulary as u64);
            let whole = self.whole.get_or_insert_with(|| Readback::new(gpu, bytes));
            (self.buffers.logits.buffer(), &*whole, bytes)
        };
        readback.copy(&mut encoder, source, bytes);
        queue.submit([encoder.finish()]);
        let selections = steps.iter().filter(|step| step.scored).count();
        let layers = self.layers.iter().map(LayerKernels::dispatches);
        // The embedding and the logits, and what chooses by them.
        let ends = if choose.is_some() { 4 } else { 2 };
        self.counts = StepCounts {
            dispatches: unsought.len() + layers.sum::<usize>() + selections + ends,
            selections,
            submissions: 1,
            uploaded_bytes: uploaded as u64,
            read_bytes: bytes,
        };
        Ok(Some(readback.request(bytes)))
    }
}

/// Rows of a workgroup of the logits kernel.
const LOGITS_TILE: usize = 64;

/// A matrix's planes, where every shader binds them.
fn planes(matrix: &weights::MatrixBuffers) -> Vec<(u32, &BoundBuffer)> {
    let scales = matrix.scales.iter().map(|scales| (1, scales));
    std::iter::once((0, &matrix.quants)).chain(scales).collect()
}

fn within_limits(limits: &wgpu::Limits, sizes: &DecodeSizes) -> bool {
    limits.max_storage_buffers_per_shader_stage >= 8
        && 16 * step_vectors(sizes) as u64 <= limits.max_uniform_buffer_binding_size
        && 4 * sizes.vocabulary as u64 <= limits.max_storage_buffer_binding_size
}
