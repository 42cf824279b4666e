//! The process's end, which a software adapter must not meet while it computes or compiles: what its threads use is taken
//! down around them, and a program that has done all its work right would end in a segmentation fault.
//!
//! A handler of `atexit` comes too late: drivers register the destruction of some of their parts at first use, and what
//! is registered last runs first. A thread's own values are dropped before all of that, the main thread's too, and
//! whoever joins a thread waits for them. So each thread that asks for such a device waits for it at its end.

use std::cell::Cell;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::software;

/// How long a thread's end may be held up by devices, all together.
const PATIENCE: Duration = Duration::from_secs(10);

thread_local! {
    static USER: User = const { User { used: Cell::new(false) } };
}

/// A thread, and whether it has used software adapters.
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

/// Lets this thread end only when the software adapters that are open by then have done what was asked of them.
pub(super) fn wait_on_this_thread() {
    // A thread that is ending uses nothing any more.
    let _ = USER.try_with(|user| user.used.set(true));
}

fn wait() {
    let begun = Instant::now();
    let (done, is_done) = mpsc::channel();
    for device in software::noted() {
        let done = done.clone();
        // On a thread of its own: this one's thread-local values are going, and burn and wgpu have some. It is not joined,
        // since a device that is lost may never answer.
        let _ = std::thread::Builder::new().spawn(move || {
            // Through burn, which hands work to a thread of its own: what waits there has not reached the device, and what
            // others submitted is on the same queue. A lost device has nothing left to do, and nobody is left to tell an
            // error to, nor perhaps that it is done.
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
