//! One layer's kernels, bound to its weights and to the memory of its cache.

use super::kernels::{Kernel, matrix_spec};
use super::weights::MatrixBuffers;
use super::{FusedDecoder, planes, storage};
use crate::cache::{LayerBuffers, ScopeCache};
use crate::fused::{BoundKernel, DecodeSizes, KernelVariant, LayerStep, SPLIT};
use crate::kernels::{BoundBuffer, KernelError};

/// Memory that the layers use one after the other.
pub(super) struct Work {
    /// What the splits of an attention leave.
    partials: BoundBuffer,
    /// `[query_heads, slots]`
    logits: BoundBuffer,
    /// Slots of the largest layer that it is enough for.
    slots: usize,
}

impl Work {
    /// For layers of up to `slots` slots.
    pub fn new(device: &wgpu::Device, sizes: &DecodeSizes, slots: usize) -> Self {
        let partials = sizes.kv_heads * slots.div_ceil(SPLIT) * sizes.partial();
        Self {
            partials: storage(device, 4 * partials as u64),
            logits: storage(device, 4 * (sizes.query_heads * slots) as u64),
            slots,
        }
    }

    /// Whether it is enough for every layer of `cache`.
    pub fn serves(&self, cache: &ScopeCache) -> bool {
        cache.most_capacity() <= self.slots
    }
}

pub(super) struct LayerKernels {
    /// The state of the layer's memory that they are bound to.
    pub stamp: Option<u64>,
    first_empty: BoundKernel,
    /// With how many heads each has.
    project: Vec<(BoundKernel, u32)>,
    attend: BoundKernel,
    combine: BoundKernel,
    evict: BoundKernel,
    add_output: BoundKernel,
    gate_up: BoundKernel,
    add_down: BoundKernel,
}

impl LayerKernels {
    pub fn new(
        decoder: &FusedDecoder,
        layer: usize,
        memory: &LayerBuffers,
        stamp: Option<u64>,
        work: &Work,
    ) -> Result<Self, KernelError> {
        let (device, _) = decoder.gpu.wgpu();
        let sizes = &decoder.sizes;
        let buffers = &decoder.buffers;
        let place = buffers.place(layer);
        let weights = &decoder.weights[layer];
        let pipelines = &decoder.pipelines;
        let pipeline = |kernel, particular| pipelines.get(&decoder.gpu, kernel, sizes, particular);
        let none = KernelVariant {
            tuning: decoder.tuning,
            ..KernelVariant::default()
        };

        let project = weights.heads.iter().map(|heads| {
            let particular = KernelVariant {
                matrix: Some(matrix_spec(&heads.matrix, sizes.dim)),
                first_head: heads.first_head,
                ..none
            };
            let mut bound = planes(&heads.matrix);
            bound.extend([
                ("activations", &buffers.activations),
                ("keys", &memory.keys),
                ("values", &memory.values),
                ("positions", &memory.positions),
                ("next", &buffers.next),
                ("step", &buffers.step),
                ("place", &place),
            ]);
            bound.extend(weights.extras.iter().map(|(extras, _)| ("extras", extras)));
            let kernel = pipeline(Kernel::ProjectHeads, particular).bind(device, bound)?;
            Ok((kernel, heads.heads as u32))
        });
        let add = |matrix: &MatrixBuffers, input: usize, norm: &BoundBuffer| {
            let particular = KernelVariant {
                matrix: Some(matrix_spec(matrix, 32)),
                input,
                ..none
            };
            let mut bound = planes(matrix);
            bound.extend([("activations", &buffers.activations), ("norm", norm)]);
            pipeline(Kernel::AddProduct, particular).bind(device, bound)
        };
        let at = sizes.activations();
        let next_norm = match decoder.weights.get(layer + 1) {
            Some(next) => &next.attention_norm,
            None => &decoder.last_norm,
        };
        let gate_up = KernelVariant {
            matrix: Some(matrix_spec(&weights.gate_up, GATE_UP_TILE)),
            ..none
        };
        let mut gate_up_bound = planes(&weights.gate_up);
        gate_up_bound.push(("activations", &buffers.activations));
        Ok(Self {
            stamp,
            first_empty: pipeline(Kernel::FirstEmpty, none).bind(
                device,
                [
                    ("positions", &memory.positions),
                    ("next", &buffers.next),
                    ("place", &place),
                ],
            )?,
            project: project.collect::<Result<_, KernelError>>()?,
            attend: pipeline(Kernel::Attend, none).bind(
                device,
                [
                    ("keys", &memory.keys),
                    ("values", &memory.values),
                    ("positions", &memory.positions),
                    ("activations", &buffers.activations),
                    ("partials", &work.partials),
                    ("logits", &work.logits),
                    ("step", &buffers.step),
                    ("place", &place),
                ],
            )?,
            combine: pipeline(Kernel::Combine, none).bind(
                device,
                [
                    ("partials", &work.partials),
                    ("activations", &buffers.activations),
                    ("next", &buffers.next),
                    ("stats", &buffers.stats),
                    ("step", &buffers.step),
                    ("place", &place),
                ],
            )?,
            evict: pipeline(Kernel::Evict, none).bind(
                device,
                [
                    ("logits", &work.logits),
                    ("stats", &buffers.stats),
                    ("scores", &memory.scores),
                    ("positions", &memory.positions),
                    ("next", &buffers.next),
                    ("step", &buffers.step),
                    ("place", &place),
                ],
            )?,
            add_output: add(&weights.output, at.attended, &weights.feed_forward_norm)?,
            gate_up: pipeline(Kernel::GateUp, gate_up).bind(device, gate_up_bound)?,
            add_down: add(&weights.down, at.feed_forward, next_norm)?,
        })
    }

    /// Finds the slots that the next token goes to, in memory that has not been decoded into.
    pub fn find_empty(&self, pass: &mut wgpu::ComputePass<'_>, sizes: &DecodeSizes) {
        self.first_empty.dispatch(pass, [sizes.kv_heads as u32, 1]);
    }

    /// Kernels of a step at which nothing is selected.
    pub fn dispatches(&self) -> usize {
        self.project.len() + 5
    }

    /// Records only products and attention.
    pub fn bare_step(
        &self,
        pass: &mut wgpu::ComputePass<'_>,
        sizes: &DecodeSizes,
        step: &LayerStep,
    ) {
        self.attend(pass, sizes, step);
        self.feed_forward(pass, sizes);
    }

    /// Records the layer's part of a step.
    pub fn step(&self, pass: &mut wgpu::ComputePass<'_>, sizes: &DecodeSizes, step: &LayerStep) {
        self.attend(pass, sizes, step);
        self.combine.dispatch(pass, [sizes.query_heads as u32, 1]);
        if step.scored {
            self.evict.dispatch(pass, [sizes.kv_heads as u32, 1]);
        }
        self.feed_forward(pass, sizes);
    }

    /// Queries, keys and values, and the splits' attention.
    fn attend(&self, pass: &mut wgpu::ComputePass<'_>, sizes: &DecodeSizes, step: &LayerStep) {
        for (project, heads) in &self.project {
            project.dispatch(pass, [*heads, 1]);
        }
        let splits = step.reach.div_ceil(SPLIT) as u32;
        self.attend.dispatch(pass, [splits, sizes.kv_heads as u32]);
    }

    /// Everything after the attention.
    fn feed_forward(&self, pass: &mut wgpu::ComputePass<'_>, sizes: &DecodeSizes) {
        let tiles = (sizes.width / 32) as u32;
        self.add_output.dispatch(pass, [tiles, 1]);
        let gate_up = sizes.feed_forward / (GATE_UP_TILE / 2);
        self.gate_up.dispatch(pass, [gate_up as u32, 1]);
        self.add_down.dispatch(pass, [tiles, 1]);
    }
}

/// Rows of a workgroup of the gate and up kernel, half of them gate's.
pub(super) const GATE_UP_TILE: usize = 32;
