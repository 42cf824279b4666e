//! Tests in a real browser: `cargo xtask test --only browser`.

#![cfg(target_family = "wasm")]

mod cache;
mod device;
mod fused;
mod gpu;
mod model;
#[allow(
    dead_code,
    unused_imports,
    reason = "a page runs a part of what the native tests run"
)]
#[path = "../support/mod.rs"]
mod support;

use wasm_bindgen_test::wasm_bindgen_test_configure;

wasm_bindgen_test_configure!(run_in_browser);
