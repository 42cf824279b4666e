//! Which devices compute on a CPU: burn's handle of a device does not tell.

use std::sync::{Mutex, PoisonError};

use burn::tensor::Device;

static SOFTWARE: Mutex<Vec<(Device, bool)>> = Mutex::new(Vec::new());

/// Notes that `device` computes on a CPU, and whether kernels that swap values within quads suit it.
pub(super) fn note(device: &Device, quads: bool) {
    let mut software = SOFTWARE.lock().unwrap_or_else(PoisonError::into_inner);
    software.push((device.clone(), quads));
}

/// All devices that were noted.
#[cfg(unix)]
pub(super) fn noted() -> Vec<Device> {
    SOFTWARE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
        .map(|(device, _)| device.clone())
        .collect()
}

/// Whether `device` is a software adapter's, opened by [`Gpu::open`](super::Gpu::open).
pub(crate) fn is_software(device: &Device) -> bool {
    let software = SOFTWARE.lock().unwrap_or_else(PoisonError::into_inner);
    software.iter().any(|(noted, _)| noted == device)
}

/// Whether it is one that kernels suit whose lanes swap values within quads.
pub(crate) fn is_software_with_quads(device: &Device) -> bool {
    let software = SOFTWARE.lock().unwrap_or_else(PoisonError::into_inner);
    software.contains(&(device.clone(), true))
}
