//! Drawing a token on the device: what only generations that are not greedy need.

use super::kernels::{Kernel, Pipelines};
use super::{StepBuffers, storage, uniform};
use crate::device::Gpu;
use crate::fused::{BoundKernel, DecodeSizes, KernelVariant, Tuning};
use crate::generate::Draw;
use crate::kernels::{BoundBuffer, KernelError};

/// Words of the kernel's settings.
const SETTINGS: usize = 8;

/// The kernel and its memory.
pub(super) struct Drawing {
    /// In the place of the one that takes the likeliest token.
    pub(super) kernel: BoundKernel,
    settings: BoundBuffer,
    occurred: BoundBuffer,
    /// A number a token. Held here, since in the browser a buffer that only a binding refers to counts as dropped.
    _numbers: BoundBuffer,
}

impl Drawing {
    pub(super) fn new(
        pipelines: &Pipelines,
        gpu: &Gpu,
        sizes: &DecodeSizes,
        tuning: Tuning,
        buffers: &StepBuffers,
    ) -> Result<Self, KernelError> {
        let (device, _) = gpu.wgpu();
        let settings = uniform(device, 4 * SETTINGS as u64);
        // Each token occurs once at most.
        let occurred = storage(device, 4 * sizes.vocabulary as u64);
        let numbers = storage(device, 4 * sizes.vocabulary as u64);
        let particular = KernelVariant {
            tuning,
            ..KernelVariant::default()
        };
        let pipeline = pipelines.get(gpu, Kernel::Draw, sizes, particular);
        let bound = [
            ("logits", &buffers.logits),
            ("parts", &buffers.parts),
            ("occurred", &occurred),
            ("settings", &settings),
            ("numbers", &numbers),
            ("token", &buffers.token),
            ("report", &buffers.report),
        ];
        Ok(Self {
            kernel: pipeline.bind(device, bound)?,
            settings,
            occurred,
            _numbers: numbers,
        })
    }

    /// Uploads what the next draw goes by. Returns how many bytes that is.
    pub(super) fn prepare(&self, queue: &wgpu::Queue, draw: &Draw<'_>, vocabulary: usize) -> usize {
        let sampling = draw.sampling;
        // More than a vocabulary can't differ; those beyond it have no logit.
        let occurred = &draw.occurred[..draw.occurred.len().min(vocabulary)];
        let words: [u32; SETTINGS] = [
            sampling.temperature.to_bits(),
            u32::try_from(sampling.top_k).unwrap_or(u32::MAX),
            sampling.top_p.to_bits(),
            sampling.min_p.to_bits(),
            sampling.repetition_penalty.to_bits(),
            occurred.len() as u32,
            draw.part.to_bits(),
            0,
        ];
        queue.write_buffer(self.settings.buffer(), 0, bytemuck::cast_slice(&words));
        if !occurred.is_empty() {
            queue.write_buffer(self.occurred.buffer(), 0, bytemuck::cast_slice(occurred));
        }
        4 * (words.len() + occurred.len())
    }
}
