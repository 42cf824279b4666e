//! GGUF files in tests: writing them, and reading what was written.

pub mod read;
mod write;

pub use write::{GgufFile, Raw, Value};
