//! Small results read back through a buffer that is made once.

use futures_channel::oneshot;

use super::{Gpu, GpuError};

/// A buffer that results are copied to and read from, one at a time.
#[derive(Debug, Clone)]
pub struct Readback {
    buffer: wgpu::Buffer,
}

impl Readback {
    /// For results of up to `bytes` bytes, a multiple of 4.
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

    /// Has `encoder` copy the first `bytes` bytes of `source`.
    pub fn copy(&self, encoder: &mut wgpu::CommandEncoder, source: &wgpu::Buffer, bytes: u64) {
        encoder.copy_buffer_to_buffer(source, 0, &self.buffer, 0, bytes);
    }

    /// Asks for the first `bytes` bytes, once the copy has been submitted.
    pub fn request(&self, bytes: u64) -> Pending {
        let (sender, mapped) = oneshot::channel();
        self.buffer
            .map_async(wgpu::MapMode::Read, 0..bytes, move |result| {
                // Nobody waits any more where the generation was dropped.
                let _ = sender.send(result);
            });
        Pending {
            buffer: self.buffer.clone(),
            bytes,
            mapped: Some(mapped),
        }
    }
}

/// A result that is on its way.
#[derive(Debug)]
pub struct Pending {
    buffer: wgpu::Buffer,
    bytes: u64,
    /// Taken when it has been answered.
    mapped: Option<oneshot::Receiver<Result<(), wgpu::BufferAsyncError>>>,
}

impl Pending {
    /// Waits for it.
    ///
    /// # Errors
    ///
    /// [`GpuError::DeviceLost`] or [`GpuError::OperationFailed`].
    pub async fn read(self, gpu: &Gpu) -> Result<Vec<u8>, GpuError> {
        self.read_with(gpu, <[u8]>::to_vec).await
    }

    /// Waits for it, and gives `parse` its bytes where they are mapped.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub async fn read_with<T>(
        mut self,
        gpu: &Gpu,
        parse: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, GpuError> {
        let failed = |detail: String| GpuError::OperationFailed {
            operation: "reading a step's result",
            detail,
        };
        #[cfg(not(target_family = "wasm"))]
        {
            // Natively nothing is answered unless the device is polled; a lost one is heard of below.
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
            .map_err(|error| failed(error.to_string()))?;
        Ok(parse(&bytes))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.buffer.unmap();
    }
}
