//! Which devices compute on a CPU: burn's handle of a device does not tell.

use std::sync::{Mutex, PoisonError};

use burn::tensor::Device;

static SOFTWARE: Mutex<Vec<Device>> = Mutex::new(Vec::new());

/// Notes that `device` computes on a CPU.
pub(super) fn note(device: &Device) {
    let mut software = SOFTWARE.lock().unwrap_or_else(PoisonError::into_inner);
    software.push(device.clone());
}

/// All devices that were noted.
#[cfg(unix)]
pub(super) fn noted() -> Vec<Device> {
    SOFTWARE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// Whether `device` is a software adapter's, opened by [`Gpu::open`](super::Gpu::open).
pub(crate) fn is_software(device: &Device) -> bool {
    let software = SOFTWARE.lock().unwrap_or_else(PoisonError::into_inner);
    software.contains(device)
}
