//! Errors of the launchers.

use burn::backend::DispatchDevice;
use burn::tensor::{DType, Device, Tensor};

/// A kernel can't work on the tensors that it was given; nothing was launched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// Shapes that don't fit each other or the kernel.
    #[error("{kernel}: `{argument}` has shape {shape:?}, {expected} is expected")]
    Shape {
        /// Name of the kernel.
        kernel: &'static str,
        /// Name of the tensor.
        argument: &'static str,
        /// Shape of the tensor.
        shape: Vec<usize>,
        /// Shape that the kernel takes.
        expected: String,
    },
    /// A number type that the kernel has no code for.
    #[error("{kernel}: `{argument}` is {dtype}, {expected} is expected")]
    Type {
        /// Name of the kernel.
        kernel: &'static str,
        /// Name of the tensor.
        argument: &'static str,
        /// Number type of the tensor.
        dtype: String,
        /// Number type that the kernel takes.
        expected: &'static str,
    },
    /// A tensor on a device that doesn't run WGSL.
    #[error("{kernel}: runs on a WebGPU device only, the tensors are on {device}")]
    Device {
        /// Name of the kernel.
        kernel: &'static str,
        /// Device of the tensors.
        device: String,
    },
    /// Buffers whose names are not those that a kernel's WGSL declares.
    #[error("{kernel}: the binding `{binding}` {problem}")]
    Binding {
        /// The kernel's name.
        kernel: String,
        /// The binding's name.
        binding: String,
        /// Reason, such as "is unknown".
        problem: &'static str,
    },
}

impl KernelError {
    /// The stable code of this error, see [`crate::Error::code`].
    pub fn code(&self) -> &'static str {
        "invalid-argument"
    }
}

/// Refuses anything but f32 in `argument` of `kernel`.
pub(super) fn expect_f32<const D: usize>(
    kernel: &'static str,
    argument: &'static str,
    tensor: &Tensor<D>,
) -> Result<(), KernelError> {
    match tensor.dtype() {
        DType::F32 => Ok(()),
        other => Err(KernelError::Type {
            kernel,
            argument,
            dtype: other.name().to_owned(),
            expected: "f32",
        }),
    }
}

/// Refuses a device other than a WebGPU one.
pub(super) fn expect_wgpu(kernel: &'static str, device: &Device) -> Result<(), KernelError> {
    match device.as_dispatch() {
        DispatchDevice::Cube(_) => Ok(()),
        #[allow(unreachable_patterns, reason = "in the browser there is no other kind")]
        other => Err(KernelError::Device {
            kernel,
            device: format!("{other:?}"),
        }),
    }
}
