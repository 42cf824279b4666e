//! Static constructors, run exactly once.
//!
//! burn and cubecl register devices, kernels and types in static constructors. When nothing in a module names
//! `__wasm_call_ctors`, the linker takes the module for a command and wraps every export, wasm-bindgen's helpers too, so
//! that all constructors run again at each call from JavaScript. Naming it here stops that, and makes running them ours.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use wasm_bindgen::prelude::wasm_bindgen;

unsafe extern "C" {
    fn __wasm_call_ctors();
}

static RUN: Once = Once::new();

/// Runs the static constructors unless they have run. Every way in passes here: the `start` function does not, it is
/// absent under wasm-bindgen-test.
pub(super) fn run_once() {
    // SAFETY: the linker defines the symbol for every module, and `Once` keeps to the single call it is made for.
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

/// How often the static constructors have run: 0 before the first use of the module, 1 ever after. Tests watch it.
#[wasm_bindgen]
pub fn constructor_runs() -> u32 {
    RUNS.load(Ordering::Relaxed)
}
