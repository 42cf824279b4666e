//! The library's warnings, on the browser's console.

use log::{LevelFilter, Log, Metadata, Record};
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console)]
    fn warn(message: &str);
}

struct Warnings;

impl Log for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Messages of the crates below are for their developers.
        metadata.target().starts_with("kvscope")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            warn(&record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// Starts showing them.
pub(super) fn show_warnings() {
    log::set_max_level(LevelFilter::Warn);
    // Fails only if there is a logger already, which then shows them.
    let _ = log::set_logger(&Warnings);
}
