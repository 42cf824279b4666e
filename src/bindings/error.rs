//! Errors in JavaScript.

use js_sys::{Object, Reflect};
use wasm_bindgen::JsValue;

use crate::Error;
use crate::cache::CacheError;
use crate::device::GpuError;

/// A JavaScript `Error` named `KvscopeError`, with `code` and possibly `details`.
pub(super) fn to_js(error: impl Into<Error>) -> JsValue {
    let error = error.into();
    let details = Object::new();
    match &error {
        Error::Gpu(GpuError::LimitTooSmall { limit, needed, had }) => {
            set(&details, "limit", (*limit).into());
            set(&details, "needed", (*needed as f64).into());
            set(&details, "had", (*had as f64).into());
        }
        Error::Gpu(GpuError::DeviceLost(loss)) => {
            if let Ok(loss) = serde_wasm_bindgen::to_value(loss) {
                set(&details, "loss", loss);
            }
        }
        Error::Cache(CacheError::NotFinite {
            layer,
            rows,
            position,
            ..
        }) => {
            set(&details, "layer", (*layer).into());
            set(&details, "rows", (*rows).into());
            if let Some(position) = position {
                set(&details, "position", (*position).into());
            }
        }
        _ => {}
    }
    kvscope_error(&error.to_string(), error.code(), details)
}

/// An error of the boundary itself: an argument of another type than declared.
pub(super) fn invalid_argument(message: &str) -> JsValue {
    kvscope_error(message, "invalid-argument", Object::new())
}

/// An error for a result that JavaScript can't represent.
pub(super) fn conversion(error: tsify::Error) -> JsValue {
    js_sys::Error::new(&error.to_string()).into()
}

fn kvscope_error(message: &str, code: &str, details: Object) -> JsValue {
    let thrown = js_sys::Error::new(message);
    thrown.set_name("KvscopeError");
    set(&thrown, "code", code.into());
    set(&thrown, "details", details.into());
    thrown.into()
}

fn set(target: &JsValue, key: &str, value: JsValue) {
    // Fails on frozen objects and proxies only, and these are new and plain.
    let _ = Reflect::set(target, &key.into(), &value);
}
