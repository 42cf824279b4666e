//! The buffers of a decode step, beside weights and cache.

use super::order_words::vectors as step_vectors;
use super::report::MOST_REPORT_BYTES;
use super::sizes::{DecodeSizes, SPLIT};
use crate::cache::ScopeCache;
use crate::kernels::BoundBuffer;

/// Bytes between the layers' places: a multiple of every alignment that WebGPU allows to require.
const PLACE_BYTES: u64 = 256;

/// The buffers that all layers of a decoder share for its lifetime.
pub(super) struct StepBuffers {
    /// Hidden state, queries, attention output: see [`Activations`](super::Activations).
    pub activations: BoundBuffer,
    /// The token that the step begins with, and then the one that it chooses.
    pub token: BoundBuffer,
    /// `[vocabulary]`, f32.
    pub logits: BoundBuffer,
    /// Result of `choose_parts` per part of the logits, `[parts, 4]`.
    pub parts: BoundBuffer,
    /// The report to the host: see [`report`](super::report).
    pub report: BoundBuffer,
    /// Position, angles of RoPE, every layer's order: see [`order_words`](super::order_words).
    pub step: BoundBuffer,
    /// One uniform per layer, [`PLACE_BYTES`] apart: the layer's number and its capacity.
    places: BoundBuffer,
    /// Slot that the next token goes to, `[layers, kv_heads]`.
    pub next: BoundBuffer,
    /// Largest logit and sum of exponentials per query head.
    pub stats: BoundBuffer,
}

impl StepBuffers {
    pub fn new(device: &wgpu::Device, sizes: &DecodeSizes) -> Self {
        let storage = |bytes: usize| storage(device, bytes as u64);
        Self {
            activations: storage(16 * sizes.activations().vectors),
            token: storage(4),
            logits: storage(4 * sizes.vocabulary),
            parts: storage(16 * sizes.parts()),
            report: storage(MOST_REPORT_BYTES as usize),
            step: uniform(device, 16 * step_vectors(sizes) as u64),
            places: uniform(device, PLACE_BYTES * sizes.layers as u64),
            next: storage(4 * sizes.layers * sizes.kv_heads),
            stats: storage(8 * sizes.query_heads),
        }
    }

    /// The uniform of `layer`.
    pub fn place(&self, layer: usize) -> BoundBuffer {
        self.places.part(PLACE_BYTES * layer as u64, 16)
    }

    /// Uploads the uniform of `layer`, whose memory has `capacity` slots per head.
    pub fn write_place(&self, queue: &wgpu::Queue, layer: usize, capacity: usize) {
        let words = [layer as u32, capacity as u32, 0, 0];
        let offset = PLACE_BYTES * layer as u64;
        queue.write_buffer(self.places.buffer(), offset, bytemuck::cast_slice(&words));
    }
}

/// Attention's intermediate results, which one layer after the other overwrites.
pub(super) struct AttentionScratch {
    /// Result of `attend` per KV head and split: see [`DecodeSizes::partial`].
    pub partials: BoundBuffer,
    /// `[query_heads, slots]`, f32.
    pub logits: BoundBuffer,
    /// The most slots per head that it has room for.
    slots: usize,
}

impl AttentionScratch {
    /// Room for every layer of `cache`, with spare: new scratch means that every layer is bound
    /// anew.
    pub fn new(device: &wgpu::Device, sizes: &DecodeSizes, cache: &ScopeCache) -> Self {
        let slots = cache.most_capacity().next_power_of_two();
        let partials = sizes.kv_heads * slots.div_ceil(SPLIT) * sizes.partial();
        Self {
            partials: storage(device, 4 * partials as u64),
            logits: storage(device, 4 * (sizes.query_heads * slots) as u64),
            slots,
        }
    }

    /// `true` if it has room for every layer of `cache`.
    pub fn fits(&self, cache: &ScopeCache) -> bool {
        cache.most_capacity() <= self.slots
    }
}

/// A storage buffer of at least `bytes` bytes.
pub(super) fn storage(device: &wgpu::Device, bytes: u64) -> BoundBuffer {
    let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    buffer(device, bytes.next_multiple_of(16), storage)
}

/// A uniform buffer of `bytes` bytes.
pub(super) fn uniform(device: &wgpu::Device, bytes: u64) -> BoundBuffer {
    buffer(device, bytes, wgpu::BufferUsages::UNIFORM)
}

fn buffer(device: &wgpu::Device, size: u64, usage: wgpu::BufferUsages) -> BoundBuffer {
    BoundBuffer::whole(device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("kvscope step"),
        size,
        usage: usage | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    }))
}
