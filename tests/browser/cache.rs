//! The core of the cache's suite in a real browser, on its WebGPU device.

use wasm_bindgen_test::wasm_bindgen_test;

use crate::gpu;
use crate::support::plain_cache::suite;

macro_rules! in_the_browser {
    ($($name:ident),* $(,)?) => {
        $(#[wasm_bindgen_test]
        async fn $name() {
            suite::$name(gpu::shared().await.device()).await;
        })*
    };
}

in_the_browser!(
    every_method_once,
    recent_positions_beyond_the_window,
    many_evictions_at_once,
    half_precision,
    saved_caches_go_on,
    rounded_rows_of_short_prompts,
    rounded_rows_of_large_heads,
    rounded_rows_are_copied_and_saved,
    open_prompts_fork_to_rounded_rows,
);
