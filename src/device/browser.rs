//! What the browser knows of adapter and device and wgpu does not pass on.

use js_sys::Reflect;
use wasm_bindgen::prelude::*;

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
    fn destroy(device: &JsValue, table: &JsValue);
}

const SUBGROUPS: &str = "subgroups";

/// Notes the buffers that `device` makes from now on, for [`destroy_dropped_buffers`].
pub(crate) fn watch_buffers(device: &wgpu::Device) {
    if let Some(device) = device.as_webgpu() {
        watch(device.as_ref());
    }
}

/// Destroys the buffers of `device` that nothing in this module refers to any more, because dropping them does not. Every
/// command that uses them must have been submitted.
pub(crate) fn destroy_dropped_buffers(device: &wgpu::Device) {
    // wasm-bindgen's table of everything that Rust holds of JavaScript.
    let table = get(&wasm_bindgen::exports(), "__wbindgen_externrefs");
    if let (Some(device), Some(table)) = (device.as_webgpu(), table) {
        destroy(device.as_ref(), &table);
    }
}

/// Runs `request`, which asks an adapter for a device, so that it asks for subgroups too.
pub(crate) fn requesting_subgroups<T>(mut request: impl FnMut() -> T) -> Option<T> {
    let mut requested = None;
    requesting_feature(SUBGROUPS, &mut || requested = Some(request()));
    requested
}

/// Whether the device was given subgroups.
pub(crate) fn has_subgroups(device: &wgpu::Device) -> bool {
    let Some(device) = device.as_webgpu() else {
        return false;
    };
    has(&device.features().into(), SUBGROUPS)
}

/// Whether a set of names, as browsers give it, has `name`.
fn has(set: &JsValue, name: &str) -> bool {
    let has = get(set, "has").and_then(|has| has.dyn_into::<js_sys::Function>().ok());
    has.and_then(|has| has.call1(set, &name.into()).ok())
        .is_some_and(|has| has.is_truthy())
}

/// Whether the browser's WGSL has products of four packed integers (WGSL §4.1.2).
pub(crate) fn has_integer_products() -> bool {
    let features = get(&js_sys::global(), "navigator")
        .and_then(|navigator| get(&navigator, "gpu"))
        .and_then(|gpu| get(&gpu, "wgslLanguageFeatures"));
    features.is_some_and(|features| has(&features, "packed_4x8_integer_dot_product"))
}

/// The name that the browser gives the adapter, put together from what it tells (`GPUAdapterInfo`, WebGPU §4.2.2);
/// empty when it tells nothing.
pub(crate) fn name(device: &wgpu::Device) -> String {
    let text = |key| info(device, key).and_then(|value| value.as_string());
    match text("description") {
        Some(description) if !description.is_empty() => description,
        _ => ["vendor", "architecture", "device"]
            .into_iter()
            .filter_map(text)
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" "),
    }
}

/// The smallest and largest subgroup that the browser tells, 0 where it does not.
pub(crate) fn subgroup_size(device: &wgpu::Device) -> (u32, u32) {
    let size = |key| {
        info(device, key)
            .and_then(|value| value.as_f64())
            .unwrap_or_default() as u32
    };
    (size("subgroupMinSize"), size("subgroupMaxSize"))
}

fn info(device: &wgpu::Device, key: &str) -> Option<JsValue> {
    let device: &JsValue = device.as_webgpu()?.as_ref();
    get(&get(device, "adapterInfo")?, key)
}

fn get(target: &JsValue, key: &str) -> Option<JsValue> {
    Reflect::get(target, &key.into())
        .ok()
        .filter(|value| !value.is_undefined())
}
