//! The browser's side of a device: what wgpu neither asks of it nor passes on.
//!
//! web-sys has all of WebGPU among its unstable APIs only, which ask every build of the crate for
//! `--cfg web_sys_unstable_apis`. So `navigator` is web-sys', and `GPUDevice` with all that it
//! leads to is wgpu's own binding. The two names between them are declared here.

use js_sys::WebAssembly::Table;
use wasm_bindgen::prelude::*;
use web_sys::WorkerGlobalScope;

use super::{GpuError, constructors};

#[wasm_bindgen]
extern "C" {
    /// A page's or a worker's `navigator`, as far as WebGPU extends it (WebGPU §4.3).
    type NavigatorGpu;
    #[wasm_bindgen(method, getter)]
    fn gpu(this: &NavigatorGpu) -> Option<GpuEntry>;

    /// `navigator.gpu` (WebGPU §4.4).
    type GpuEntry;
    /// `None` in browsers from before this attribute.
    #[wasm_bindgen(method, getter, js_name = wgslLanguageFeatures)]
    fn wgsl_language_features(this: &GpuEntry) -> Option<LanguageFeatures>;

    /// `WGSLLanguageFeatures`, a set of names.
    type LanguageFeatures;
    #[wasm_bindgen(method)]
    fn has(this: &LanguageFeatures, name: &str) -> bool;

    /// Exports of this module.
    type Exports;
    /// wasm-bindgen's table of everything that Rust holds of JavaScript.
    #[wasm_bindgen(method, getter, js_name = __wbindgen_externrefs)]
    fn references(this: &Exports) -> Option<Table>;
}

#[wasm_bindgen(module = "/src/device/subgroups.js")]
extern "C" {
    #[wasm_bindgen(js_name = requestingFeature)]
    fn requesting_feature(feature: &str, request: &mut dyn FnMut());
}

#[wasm_bindgen(module = "/src/device/buffers.js")]
extern "C" {
    #[wasm_bindgen(js_name = watchBuffers)]
    fn watch(device: &JsValue);
    #[wasm_bindgen(js_name = destroyDropped)]
    fn destroy(device: &JsValue, table: &Table);
}

const SUBGROUPS: &str = "subgroups";

/// Prepares the module for burn: static constructors run (see `constructors.rs`), panics tell where
/// they happened, and there is a `navigator.gpu`.
///
/// # Errors
///
/// [`GpuError::WebGpuUnavailable`].
pub(super) fn prepare() -> Result<(), GpuError> {
    constructors::run_once();
    console_error_panic_hook::set_once();
    entry().map(drop).ok_or(GpuError::WebGpuUnavailable)
}

/// `navigator.gpu`, if the browser has it.
fn entry() -> Option<GpuEntry> {
    let navigator: JsValue = match web_sys::window() {
        Some(window) => window.navigator().into(),
        None => {
            let worker: WorkerGlobalScope = js_sys::global().dyn_into().ok()?;
            worker.navigator().into()
        }
    };
    navigator.unchecked_into::<NavigatorGpu>().gpu()
}

/// Notes the buffers that `device` makes from now on, for [`destroy_dropped_buffers`].
pub(super) fn watch_buffers(device: &wgpu::Device) {
    if let Some(device) = device.as_webgpu() {
        watch(device);
    }
}

/// Destroys buffers of `device` that nothing in this module refers to any more: dropping does not.
/// Every command that uses them must have been submitted.
pub(super) fn destroy_dropped_buffers(device: &wgpu::Device) {
    let exports: Exports = wasm_bindgen::exports().unchecked_into();
    if let (Some(device), Some(table)) = (device.as_webgpu(), exports.references()) {
        destroy(device, &table);
    }
}

/// Runs `request`, which asks an adapter for a device, so that it asks for subgroups too.
pub(super) fn requesting_subgroups<T>(mut request: impl FnMut() -> T) -> Option<T> {
    let mut requested = None;
    requesting_feature(SUBGROUPS, &mut || requested = Some(request()));
    requested
}

/// True if the device was given subgroups.
pub(super) fn has_subgroups(device: &wgpu::Device) -> bool {
    let device = device.as_webgpu();
    device.is_some_and(|device| device.features().has(SUBGROUPS))
}

/// True if the browser's WGSL has products of four packed integers (WGSL §4.1.2).
pub(super) fn has_integer_products() -> bool {
    let features = entry().and_then(|gpu| gpu.wgsl_language_features());
    features.is_some_and(|features| features.has("packed_4x8_integer_dot_product"))
}

/// The adapter's name, composed of what the browser tells (`GPUAdapterInfo`, WebGPU §4.2.2); empty
/// when it tells nothing.
pub(super) fn name(device: &wgpu::Device) -> String {
    let Some(device) = device.as_webgpu() else {
        return String::new();
    };
    let info = device.adapter_info();
    let description = info.description();
    if !description.is_empty() {
        return description;
    }
    let mut parts = vec![info.vendor(), info.architecture(), info.device()];
    parts.retain(|part| !part.is_empty());
    parts.join(" ")
}
