//! The process's end, which a software adapter must not meet while it computes or compiles: what its threads use is taken
//! down around them, and a program that has done all its work right would end in a segmentation fault.
//!
//! A handler of `atexit` comes too late: drivers register the destruction of some of their parts at first use, and what
//! is registered last runs first. A thread's own values are dropped before all of that, the main thread's too, and
//! whoever joins a thread waits for them. So each thread that asks for such a device waits for it at its end.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use burn::tensor::Device;

/// How long a thread's end may be held up by devices, all together.
const PATIENCE: Duration = Duration::from_secs(10);

/// A device of ours on both its levels.
#[derive(Clone)]
struct Opened {
    burn: Device,
    wgpu: wgpu::Device,
}

static DEVICES: Mutex<Vec<Opened>> = Mutex::new(Vec::new());

thread_local! {
    static USER: User = const { User { used: Cell::new(false) } };
}

/// A thread that uses devices of [`DEVICES`].
struct User {
    used: Cell<bool>,
}

impl Drop for User {
    fn drop(&mut self) {
        if self.used.get() {
            wait();
        }
    }
}

/// Notes these two, which are one device, as one that is to be waited for.
pub(super) fn note(burn: &Device, wgpu: &wgpu::Device) {
    let mut devices = DEVICES.lock().unwrap_or_else(PoisonError::into_inner);
    devices.push(Opened {
        burn: burn.clone(),
        wgpu: wgpu.clone(),
    });
}

/// Lets this thread end only when the devices noted by then have done what was asked of them.
pub(super) fn wait_on_this_thread() {
    // A thread that is ending uses nothing any more.
    let _ = USER.try_with(|user| user.used.set(true));
}

fn wait() {
    let devices = DEVICES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let begun = Instant::now();
    let (done, is_done) = mpsc::channel();
    for device in &devices {
        let (device, done) = (device.clone(), done.clone());
        // On a thread of its own: this one's thread-local values are going, and burn and wgpu have some. It is not joined,
        // since a device that is lost may never answer.
        let _ = std::thread::Builder::new().spawn(move || {
            finish(&device);
            // Whoever waited may have lost patience.
            let _ = done.send(());
        });
    }
    drop(done);
    for _ in &devices {
        let left = PATIENCE.saturating_sub(begun.elapsed());
        if is_done.recv_timeout(left).is_err() {
            return;
        }
    }
}

fn finish(device: &Opened) {
    // burn hands work to a thread of its own, which compiles and submits it: what waits there has not reached the device.
    // A lost device has nothing left to do, and nobody is left to tell an error to.
    let _ = device.burn.sync();
    let _ = device.wgpu.poll(wgpu::PollType::Wait {
        submission_index: None,
        timeout: Some(PATIENCE),
    });
}
