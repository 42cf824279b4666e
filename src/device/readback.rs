//! Small results, read back through a buffer that is created once.

use futures_channel::oneshot;

use super::{Gpu, GpuError};

/// A buffer for results to be copied to and read from, one at a time.
#[derive(Debug, Clone)]
pub struct Readback {
    buffer: wgpu::Buffer,
}

impl Readback {
    /// A buffer for results of up to `bytes` bytes, a multiple of 4.
    pub fn new(gpu: &Gpu, bytes: u64) -> Self {
        let (device, _) = gpu.wgpu();
        Self {
            buffer: device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("kvscope readback"),
                size: bytes,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            }),
        }
    }

    /// Records the copy of the first `bytes` bytes of `source`.
    pub fn copy(&self, encoder: &mut wgpu::CommandEncoder, source: &wgpu::Buffer, bytes: u64) {
        encoder.copy_buffer_to_buffer(source, 0, &self.buffer, 0, bytes);
    }

    /// Requests the first `bytes` bytes. The copy must have been submitted.
    pub fn request(&self, bytes: u64) -> Pending {
        let (sender, mapped) = oneshot::channel();
        self.buffer
            .map_async(wgpu::MapMode::Read, 0..bytes, move |result| {
                // Fails where the generation was dropped, and nobody waits any more.
                let _ = sender.send(result);
            });
        Pending {
            buffer: self.buffer.clone(),
            bytes,
            mapped: Some(mapped),
        }
    }
}

/// A requested result.
#[derive(Debug)]
pub struct Pending {
    buffer: wgpu::Buffer,
    bytes: u64,
    /// `None` once it was awaited.
    mapped: Option<oneshot::Receiver<Result<(), wgpu::BufferAsyncError>>>,
}

impl Pending {
    /// Waits for the result and returns its bytes.
    ///
    /// # Errors
    ///
    /// [`GpuError::DeviceLost`] or [`GpuError::OperationFailed`].
    pub async fn read(mut self, gpu: &Gpu) -> Result<Vec<u8>, GpuError> {
        let failed = |detail: String| GpuError::OperationFailed {
            operation: "reading a step's result",
            detail,
        };
        #[cfg(not(target_family = "wasm"))]
        {
            // Natively nothing is answered unless the device is polled; a loss is seen below.
            let (device, _) = gpu.wgpu();
            let _ = device.poll(wgpu::PollType::wait_indefinitely());
        }
        let Some(mapped) = self.mapped.take() else {
            return Err(failed("it was read before".to_owned()));
        };
        let answer = gpu.or_lost(mapped).await?;
        gpu.check()?;
        match answer {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed("the browser did not answer".to_owned())),
        }
        let bytes = self
            .buffer
            .get_mapped_range(0..self.bytes)
            .map_err(|error| failed(error.to_string()))?
            .to_vec();
        Ok(bytes)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.buffer.unmap();
    }
}
