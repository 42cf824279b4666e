//! The thin surface to JavaScript: conversions and nothing else.

#[cfg(feature = "bench")]
mod bench;
mod engine;
mod error;
mod gpu;
mod loader;
mod log;
mod logprobs;
mod policies;
mod report;
mod request;
mod retained;
mod session;
mod trace;

#[cfg(feature = "bench")]
pub use bench::WasmCache;
pub use engine::WasmEngine;
pub use gpu::WasmGpu;
pub use loader::WasmLoader;
pub use policies::{PlanRequest, PlannedHead, PlannedLayer, PlannedSlots, planned_slots, policies};
pub use report::{ModelReport, PromptTokens};
pub use request::{
    GenerateRequest, GenerateResult, SamplingField, SamplingFields, sampling_fields,
};
pub use retained::{Observe, RetainedLayer, RetainedLayers, RetainedSlots};
pub use session::{SavedSession, SessionToSave, asked};
pub use trace::{TraceGrades, TraceProgram, grade_trace, trace_program};

use wasm_bindgen::prelude::wasm_bindgen;

/// Number of times that the module's static constructors have run: 0 before its first use, 1 ever
/// after. Tests watch it.
#[wasm_bindgen]
pub fn constructor_runs() -> u32 {
    crate::device::constructors::runs()
}
