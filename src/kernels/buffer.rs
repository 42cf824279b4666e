//! The WebGPU buffer of a tensor, for kernels that are not launched through burn.

use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Dispatch, backend_extension};
use burn::cubecl::wgpu::WgpuServer;
use burn::tensor::{Int, Tensor};
use burn_wgpu::{AutoCompiler, CubeBackend, CubeTensor};

use super::error::{KernelError, expect_wgpu};

const NAME: &str = "buffer";

/// A part of a buffer, ready to bind.
#[derive(Debug, Clone)]
pub struct BoundBuffer {
    buffer: wgpu::Buffer,
    offset: u64,
    size: u64,
}

impl BoundBuffer {
    /// All of a buffer that kvscope allocated.
    pub fn whole(buffer: wgpu::Buffer) -> Self {
        let size = buffer.size();
        Self {
            buffer,
            offset: 0,
            size,
        }
    }

    /// `size` bytes from `offset` on, both aligned as WebGPU requires of bindings.
    #[must_use]
    pub fn part(&self, offset: u64, size: u64) -> Self {
        Self {
            buffer: self.buffer.clone(),
            offset: self.offset + offset,
            size,
        }
    }

    /// The resource for a bind group.
    pub fn resource(&self) -> wgpu::BindingResource<'_> {
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.buffer,
            offset: self.offset,
            size: std::num::NonZeroU64::new(self.size.next_multiple_of(4)),
        })
    }

    /// The whole buffer.
    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.buffer
    }
}

/// A place for the buffer that an extension finds.
#[doc(hidden)]
#[derive(Debug, Clone, Default)]
pub struct Found(Arc<Mutex<Option<BoundBuffer>>>);

/// The operations for burn's extension point; call [`buffer_of`] and [`int_buffer_of`] instead.
#[backend_extension(Cube)]
pub trait BufferExtension: burn::backend::Backend {
    /// Puts the buffer of `tensor` into `found` and returns the tensor.
    fn find_float(tensor: FloatTensor<Self>, found: Found) -> FloatTensor<Self>;
    /// Puts the buffer of `tensor` into `found` and returns the tensor.
    fn find_int(tensor: IntTensor<Self>, found: Found) -> IntTensor<Self>;
}

/// The buffer of a tensor with contiguous elements. burn's pending operations on it are submitted
/// to the queue first.
///
/// The buffer stays the tensor's only as long as the tensor lives and burn does not write to it.
///
/// # Errors
///
/// [`KernelError::Device`] for a tensor that is not on a working WebGPU device.
pub fn buffer_of<const D: usize>(tensor: &Tensor<D>) -> Result<BoundBuffer, KernelError> {
    expect_wgpu(NAME, &tensor.device())?;
    let found = Found::default();
    drop(<Dispatch as BufferExtension>::find_float(
        tensor.clone().into_dispatch(),
        found.clone(),
    ));
    found.take(&tensor.device())
}

/// The buffer of an integer tensor, as [`buffer_of`].
///
/// # Errors
///
/// Those of [`buffer_of`].
pub fn int_buffer_of<const D: usize>(tensor: &Tensor<D, Int>) -> Result<BoundBuffer, KernelError> {
    expect_wgpu(NAME, &tensor.device())?;
    let found = Found::default();
    drop(<Dispatch as BufferExtension>::find_int(
        tensor.clone().into_dispatch(),
        found.clone(),
    ));
    found.take(&tensor.device())
}

impl Found {
    fn put(&self, tensor: &CubeTensor) {
        let client = &tensor.client;
        let resource = client.get_resource::<WgpuServer<AutoCompiler>>(tensor.handle.clone());
        if let (Ok(resource), Ok(())) = (resource, client.flush()) {
            let resource = resource.resource();
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(BoundBuffer {
                buffer: resource.buffer.clone(),
                offset: resource.offset,
                size: resource.size,
            });
        }
    }

    fn take(&self, device: &burn::tensor::Device) -> Result<BoundBuffer, KernelError> {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        found.take().ok_or_else(|| KernelError::Device {
            kernel: NAME,
            device: format!("{device:?}, which does not answer"),
        })
    }
}

impl BufferExtension for CubeBackend {
    fn find_float(tensor: FloatTensor<Self>, found: Found) -> FloatTensor<Self> {
        found.put(&tensor);
        tensor
    }

    fn find_int(tensor: IntTensor<Self>, found: Found) -> IntTensor<Self> {
        found.put(&tensor);
        tensor
    }
}
