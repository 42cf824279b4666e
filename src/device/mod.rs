//! The device that models and caches are on: this machine's CPU or a GPU.
//!
//! [`Gpu::open`] requests adapter and device itself, and then registers the device with burn. So it
//! chooses limits and features, and hears of every error and of the device's loss.
//! [`ComputeDevice`] is what engine, generation and evaluation are given.

#[cfg(target_family = "wasm")]
mod browser;
mod compute_device;
#[cfg(target_family = "wasm")]
pub(crate) mod constructors;
mod error;
#[cfg(unix)]
mod exit;
mod gpu;
mod limits;
mod loss;
mod options;
mod processor;
mod readback;
mod report;

pub use compute_device::ComputeDevice;
pub use error::{DeviceLoss, GpuError, LossReason, ReadError};
pub use gpu::Gpu;
pub use limits::REQUIRED as REQUIRED_LIMITS;
pub use options::{GpuFeature, GpuOptions, PowerPreference};
pub use processor::Processor;
pub use readback::{Pending, Readback};
pub use report::{GpuLimits, GpuMemory, GpuReport, ShaderAbilities};
