//! The library's warnings, on the standard error.

use log::{LevelFilter, Log, Metadata, Record};

struct Warnings;

impl Log for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Messages of the crates below are for their developers.
        metadata.target().starts_with("kvscope")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            eprintln!("warning: {}", record.args());
        }
    }

    fn flush(&self) {}
}

/// Starts showing them.
pub fn show_warnings() {
    log::set_max_level(LevelFilter::Warn);
    // Fails only if there is a logger already, which then shows them.
    let _ = log::set_logger(&Warnings);
}
