//! The devices that every test runs on.

use std::sync::OnceLock;

use burn::tensor::Device;
use kvscope::gpu::{Gpu, GpuOptions};

/// burn's CPU device.
pub fn flex() -> Device {
    Device::flex()
}

/// The GPU, or whatever adapter stands in for it; the tests of a process share it.
pub fn gpu() -> Device {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    let gpu =
        GPU.get_or_init(|| Gpu::open_blocking(GpuOptions::default()).expect("a WebGPU adapter"));
    gpu.device().clone()
}
