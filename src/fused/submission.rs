//! One submission to the device: uploads, dispatches, one readback. Each is counted where it is
//! recorded.

use super::pipeline::BoundKernel;
use crate::device::{Gpu, Pending, Readback};
use crate::kernels::BoundBuffer;

/// Work that a step gave the device. Machines differ in time, not in these numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepCounts {
    /// Kernels dispatched.
    pub dispatches: usize,
    /// Of them, those that score the slots and select what is evicted.
    pub selections: usize,
    /// Command buffers submitted.
    pub submissions: usize,
    /// Bytes uploaded to the device.
    pub uploaded_bytes: u64,
    /// Bytes read back.
    pub read_bytes: u64,
}

/// A bound kernel and the workgroups that it is dispatched over.
pub(super) struct Dispatch {
    pub kernel: BoundKernel,
    pub grid: [u32; 2],
}

/// Commands that are submitted together.
pub(super) struct Submission<'a> {
    queue: &'a wgpu::Queue,
    encoder: wgpu::CommandEncoder,
    counts: StepCounts,
}

impl<'a> Submission<'a> {
    pub fn new(gpu: &'a Gpu) -> Self {
        let (device, queue) = gpu.wgpu();
        Self {
            queue,
            encoder: device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default()),
            counts: StepCounts::default(),
        }
    }

    /// Uploads `contents` to the beginning of `buffer`, before anything that is dispatched.
    pub fn upload<T: bytemuck::NoUninit>(&mut self, buffer: &BoundBuffer, contents: &[T]) {
        let bytes: &[u8] = bytemuck::cast_slice(contents);
        if !bytes.is_empty() {
            self.queue.write_buffer(buffer.buffer(), 0, bytes);
            self.counts.uploaded_bytes += bytes.len() as u64;
        }
    }

    /// Begins to record dispatches; they end when the recorder is dropped.
    pub fn record(&mut self) -> Recorder<'_> {
        let pass = wgpu::ComputePassDescriptor::default();
        Recorder {
            pass: self.encoder.begin_compute_pass(&pass),
            counts: &mut self.counts,
        }
    }

    /// Has the first `bytes` bytes of `source` read back, and submits everything.
    pub fn submit(
        mut self,
        source: &BoundBuffer,
        readback: &Readback,
        bytes: u64,
    ) -> (Pending, StepCounts) {
        readback.copy(&mut self.encoder, source.buffer(), bytes);
        self.queue.submit([self.encoder.finish()]);
        self.counts.submissions += 1;
        self.counts.read_bytes += bytes;
        (readback.request(bytes), self.counts)
    }
}

/// Records dispatches into a compute pass, and counts them.
pub(super) struct Recorder<'a> {
    pass: wgpu::ComputePass<'a>,
    counts: &'a mut StepCounts,
}

impl Recorder<'_> {
    /// Dispatches a kernel over its own grid.
    pub fn dispatch(&mut self, dispatch: &Dispatch) {
        self.dispatch_over(&dispatch.kernel, dispatch.grid);
    }

    /// Dispatches a kernel whose grid differs from step to step.
    pub fn dispatch_over(&mut self, kernel: &BoundKernel, grid: [u32; 2]) {
        kernel.dispatch(&mut self.pass, grid);
        self.counts.dispatches += 1;
    }

    /// Dispatches a kernel that selects what is evicted.
    pub fn select(&mut self, dispatch: &Dispatch) {
        self.dispatch(dispatch);
        self.counts.selections += 1;
    }
}
