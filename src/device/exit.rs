//! A thread's end, held up until the software adapters that it used are idle.
//!
//! At the process's end, memory that such an adapter's threads use is taken down around them. A
//! program whose work is done would then end in a segmentation fault. A handler of `atexit` comes
//! too late, since drivers register destructors at first use and the last registered run first. A
//! thread's own values are dropped before all of that, the main thread's too. Joining a thread
//! waits for them. So each thread waits at its end for the devices that it used.

use std::cell::RefCell;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use burn::tensor::Device;

/// The longest that devices may hold up a thread's end, all together.
const PATIENCE: Duration = Duration::from_secs(10);

thread_local! {
    static USED: Used = const { Used(RefCell::new(Vec::new())) };
}

/// Devices of software adapters that this thread has used. A handle keeps nothing alive: burn has
/// the device for as long as the process runs.
struct Used(RefCell<Vec<Device>>);

impl Drop for Used {
    fn drop(&mut self) {
        wait(&self.0.take());
    }
}

/// Lets this thread end only when `device` has done what was asked of it by then.
pub(super) fn wait_on_this_thread(device: &Device) {
    // A thread that is ending uses nothing any more.
    let _ = USED.try_with(|used| {
        let mut devices = used.0.borrow_mut();
        if !devices.contains(device) {
            devices.push(device.clone());
        }
    });
}

fn wait(devices: &[Device]) {
    let begun = Instant::now();
    let (done, is_done) = mpsc::channel();
    for device in devices {
        let (device, done) = (device.clone(), done.clone());
        // On a thread of its own: this one's thread-local values are going, and burn and wgpu have
        // some. It is not joined, since a lost device may never answer.
        let _ = std::thread::Builder::new().spawn(move || {
            // Through burn, which hands work to a thread of its own: what waits there has not
            // reached the device, and what others submitted is on the same queue. An error, such as
            // the device's loss, means that nothing is left to wait for.
            let _ = device.sync();
            let _ = done.send(());
        });
    }
    drop(done);
    // Until every sender is gone, or patience is.
    while is_done
        .recv_timeout(PATIENCE.saturating_sub(begun.elapsed()))
        .is_ok()
    {}
}
