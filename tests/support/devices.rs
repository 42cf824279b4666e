//! The devices that every test runs on.

use std::sync::OnceLock;

use burn::tensor::Device;
use kvscope::device::{ComputeDevice, Gpu, GpuOptions};

/// burn's CPU device.
pub fn flex() -> Device {
    Device::flex()
}

/// The GPU's device, or that of whatever adapter stands in for it.
pub fn gpu() -> Device {
    opened().device().clone()
}

/// The GPU; the tests of a process share it.
pub fn opened() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| Gpu::open_blocking(GpuOptions::default()).expect("a WebGPU adapter"))
}

/// One of these two devices, as a generation takes it.
pub fn compute(device: &Device) -> ComputeDevice {
    if *device == flex() {
        ComputeDevice::Cpu
    } else {
        opened().clone().into()
    }
}
