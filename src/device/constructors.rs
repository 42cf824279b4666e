//! Static constructors, run exactly once.
//!
//! burn and cubecl register devices, kernels and types in static constructors. When nothing in a
//! module names `__wasm_call_ctors`, the linker takes the module for a command. It then wraps every
//! export, wasm-bindgen's helpers too, and all constructors run again at each call from JavaScript.
//! Naming it here stops that, and leaves running them to us.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

unsafe extern "C" {
    fn __wasm_call_ctors();
}

static RUN: Once = Once::new();

/// Runs the static constructors unless they have run. Called wherever a device is opened: the
/// `start` function is absent under wasm-bindgen-test.
pub(super) fn run_once() {
    // SAFETY: the linker defines the symbol for every module, and `Once` keeps to the single call
    // it is made for.
    RUN.call_once(|| unsafe { __wasm_call_ctors() });
}

static RUNS: AtomicU32 = AtomicU32::new(0);

/// A constructor of our own that does nothing but count.
#[used]
#[unsafe(link_section = ".init_array")]
static COUNT: extern "C" fn() = {
    extern "C" fn count() {
        RUNS.fetch_add(1, Ordering::Relaxed);
    }
    count
};

/// Number of times that the static constructors have run.
pub(crate) fn runs() -> u32 {
    RUNS.load(Ordering::Relaxed)
}
