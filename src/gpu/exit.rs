//! The process's end, which a software adapter must not meet while it computes: its threads would run on in code that is
//! being unloaded, and a program that has done all its work right would end in a segmentation fault.

use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

/// How long the process's end may be held up by a device.
const PATIENCE: Duration = Duration::from_secs(10);

static DEVICES: Mutex<Vec<wgpu::Device>> = Mutex::new(Vec::new());

/// Lets the process end only when `device` has done what was submitted to it.
///
/// To be called after the adapter's driver was loaded: what is registered last runs first.
pub(super) fn wait_for(device: &wgpu::Device) {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // SAFETY: `wait` is a plain function that does not unwind. Where it can't be registered, nothing waits, as without.
        unsafe { libc::atexit(wait) };
    });
    let mut devices = DEVICES.lock().unwrap_or_else(PoisonError::into_inner);
    devices.push(device.clone());
}

extern "C" fn wait() {
    // On a thread of its own: this one's thread-local values are gone by now, and wgpu has some.
    let waiting = std::thread::Builder::new().spawn(poll_all);
    if let Ok(waiting) = waiting {
        // A panic there has been told, and the process ends anyway.
        let _ = waiting.join();
    }
}

fn poll_all() {
    // A thread that opens a device just now is not waited for.
    let Ok(devices) = DEVICES.try_lock() else {
        return;
    };
    for device in devices.iter() {
        // A lost device has nothing left to do.
        let _ = device.poll(wgpu::PollType::Wait {
            submission_index: None,
            timeout: Some(PATIENCE),
        });
    }
}
