//! The thin surface to JavaScript: conversions and nothing else.

mod cache;
mod constructors;
mod engine;
mod error;
mod gpu;
mod loader;
mod policies;
mod report;
mod trace;

pub use cache::WasmCache;
pub use constructors::constructor_runs;
pub use engine::{GenerateRequest, GenerateResult, WasmEngine};
pub use gpu::WasmGpu;
pub use loader::WasmLoader;
pub use policies::{PlanRequest, PlannedHead, PlannedLayer, PlannedSlots, planned_slots, policies};
pub use report::{
    ModelReport, Observe, PromptTokens, RetainedLayer, RetainedLayers, RetainedSlots,
};
pub use trace::{TraceGrades, TraceProgram, grade_trace, trace_program};

use wasm_bindgen::JsValue;

use crate::device::GpuError;

/// What must be true before anything of burn is touched in the browser: static constructors run (see `constructors.rs`),
/// panics tell where they happened, and there is a `navigator.gpu`.
///
/// # Errors
///
/// [`GpuError::WebGpuUnavailable`].
pub(crate) fn prepare() -> Result<(), GpuError> {
    constructors::run_once();
    console_error_panic_hook::set_once();
    // Page and worker have a `navigator` each; neither is behind a common type.
    let gpu = js_sys::Reflect::get(&js_sys::global(), &JsValue::from_str("navigator"))
        .and_then(|navigator| js_sys::Reflect::get(&navigator, &JsValue::from_str("gpu")));
    match gpu {
        Ok(gpu) if gpu.is_object() => Ok(()),
        _ => Err(GpuError::WebGpuUnavailable),
    }
}
