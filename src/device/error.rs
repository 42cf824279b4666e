//! Errors of a device.

use serde::Serialize;

/// Reason for a device's loss, as in WebGPU's `GPUDeviceLostInfo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct DeviceLoss {
    /// `Destroyed` if the program itself destroyed the device.
    pub reason: LossReason,
    /// The driver's or browser's message, possibly empty.
    pub message: String,
}

/// WebGPU's two reasons of a loss (WebGPU §22.1, `GPUDeviceLostReason`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum LossReason {
    /// `destroy` was called on the device.
    Destroyed,
    /// Anything else: a driver reset, a GPU that was unplugged, a browser that took the GPU away.
    Unknown,
}

/// Opening or using the GPU failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GpuError {
    /// There is no `navigator.gpu`.
    #[error(
        "this browser has no WebGPU: use Chrome or Edge 113 or later, Safari 26 or later, or \
         Firefox 141 or later (on Windows; 145 on Apple silicon), and open the page over https or \
         from localhost"
    )]
    WebGpuUnavailable,
    /// WebGPU or the graphics API is there but offers no adapter.
    #[error(
        "no GPU adapter is available ({detail}): check that hardware acceleration is on and the \
         graphics driver is up to date; without a GPU, a software adapter such as SwiftShader or \
         lavapipe works too"
    )]
    AdapterUnavailable {
        /// The graphics API's message.
        detail: String,
    },
    /// The adapter's limit is below what is needed.
    #[error("this GPU's `{limit}` is too small: {needed} is needed, it has {had}")]
    LimitTooSmall {
        /// The limit's name in WebGPU's spelling.
        limit: &'static str,
        /// The smallest value that suffices.
        needed: u64,
        /// The adapter's value.
        had: u64,
    },
    /// The adapter refused to give a device.
    #[error("the GPU adapter gave no device: {detail}")]
    DeviceRequestFailed {
        /// The adapter's or burn's message.
        detail: String,
    },
    /// The device is lost, with all that is on it; a new one can be opened.
    #[error("the GPU device was lost ({}): {}; open a new one to go on", reason(.0), message(.0))]
    DeviceLost(DeviceLoss),
    /// An operation on a live device failed.
    #[error("the GPU could not finish {operation}: {detail}")]
    OperationFailed {
        /// The operation, in words.
        operation: &'static str,
        /// The device's or burn's message.
        detail: String,
    },
}

impl GpuError {
    /// The stable code of this error, see [`crate::Error::code`].
    pub fn code(&self) -> &'static str {
        match self {
            Self::WebGpuUnavailable => "webgpu-unavailable",
            Self::AdapterUnavailable { .. } => "adapter-unavailable",
            Self::LimitTooSmall { .. } => "limit-too-small",
            Self::DeviceRequestFailed { .. } => "device-request-failed",
            Self::DeviceLost(_) => "device-lost",
            Self::OperationFailed { .. } => "gpu-failure",
        }
    }
}

/// A tensor could not be read back.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The GPU failed or was lost.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// burn did not give the numbers.
    #[error("reading a tensor back failed: {detail}")]
    Burn {
        /// burn's message.
        detail: String,
    },
}

impl ReadError {
    pub(super) fn burn(error: impl std::fmt::Display) -> Self {
        let detail = error.to_string();
        Self::Burn { detail }
    }
}

fn reason(loss: &DeviceLoss) -> &'static str {
    match loss.reason {
        LossReason::Destroyed => "destroyed",
        LossReason::Unknown => "unknown reason",
    }
}

fn message(loss: &DeviceLoss) -> &str {
    if loss.message.is_empty() {
        "no message"
    } else {
        &loss.message
    }
}
