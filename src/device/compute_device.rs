//! The one value that says where a model and its caches are.

use burn::tensor::{Device, Tensor};

use super::{DeviceLoss, Gpu, GpuError, ReadError};

/// The device of a model and its caches. Clones share it.
#[derive(Debug, Clone)]
pub enum ComputeDevice {
    /// This machine's CPU, by burn's `flex` backend.
    #[cfg(not(target_family = "wasm"))]
    Cpu,
    /// A GPU, through WebGPU.
    Gpu(Gpu),
}

impl From<Gpu> for ComputeDevice {
    fn from(gpu: Gpu) -> Self {
        Self::Gpu(gpu)
    }
}

impl ComputeDevice {
    /// The GPU, if it is one.
    pub fn gpu(&self) -> Option<&Gpu> {
        match self {
            #[cfg(not(target_family = "wasm"))]
            Self::Cpu => None,
            Self::Gpu(gpu) => Some(gpu),
        }
    }

    /// burn's device, to create tensors and modules on.
    pub fn burn_device(&self) -> Device {
        match self {
            #[cfg(not(target_family = "wasm"))]
            Self::Cpu => Device::flex(),
            Self::Gpu(gpu) => gpu.device().clone(),
        }
    }

    /// Its name for people: the adapter's, where it is a GPU.
    pub fn name(&self) -> &str {
        match self {
            #[cfg(not(target_family = "wasm"))]
            Self::Cpu => "burn's CPU device",
            Self::Gpu(gpu) => &gpu.report().name,
        }
    }

    /// Largest binding that a kernel can have, in bytes; no limit for the CPU.
    pub fn binding_bytes(&self) -> u64 {
        match self {
            #[cfg(not(target_family = "wasm"))]
            Self::Cpu => u64::MAX,
            Self::Gpu(gpu) => gpu.report().limits.max_storage_buffer_binding_size,
        }
    }

    /// Fails when the device is lost or an earlier operation on it failed unnoticed.
    ///
    /// # Errors
    ///
    /// As [`Gpu::check`]; none for the CPU.
    pub fn check(&self) -> Result<(), GpuError> {
        match self {
            #[cfg(not(target_family = "wasm"))]
            Self::Cpu => Ok(()),
            Self::Gpu(gpu) => gpu.check(),
        }
    }

    /// Reads a tensor back as f32, row by row. Waits for all work that it depends on.
    ///
    /// # Errors
    ///
    /// [`ReadError`], also when the device is lost during the read.
    pub async fn read<const D: usize>(&self, tensor: Tensor<D>) -> Result<Vec<f32>, ReadError> {
        let data = match self {
            #[cfg(not(target_family = "wasm"))]
            Self::Cpu => tensor.into_data_async().await.map_err(ReadError::burn)?,
            Self::Gpu(gpu) => gpu.read(tensor).await?,
        };
        let numbers = data.convert::<f32>().try_into_vec::<f32>();
        numbers.map_err(|error| ReadError::burn(format_args!("{error:?}")))
    }

    /// Waits until the device has done all that was asked of it.
    ///
    /// # Errors
    ///
    /// As [`Gpu::settle`]; none for the CPU, which computes at once.
    pub async fn settle(&self) -> Result<(), GpuError> {
        match self {
            #[cfg(not(target_family = "wasm"))]
            Self::Cpu => Ok(()),
            Self::Gpu(gpu) => gpu.settle().await,
        }
    }

    /// Waits as [`settle`](Self::settle), then frees memory that is only kept for reuse.
    ///
    /// # Errors
    ///
    /// As [`settle`](Self::settle).
    pub async fn release_unused(&self) -> Result<(), GpuError> {
        match self {
            #[cfg(not(target_family = "wasm"))]
            Self::Cpu => Ok(()),
            Self::Gpu(gpu) => gpu.release_unused().await,
        }
    }

    /// Resolves when the device is lost: at once if it already is, never for the CPU.
    pub async fn lost(&self) -> DeviceLoss {
        match self {
            #[cfg(not(target_family = "wasm"))]
            Self::Cpu => std::future::pending().await,
            Self::Gpu(gpu) => gpu.lost().await,
        }
    }
}
