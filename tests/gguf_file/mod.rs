//! GGUF files in tests: writing them, and reading what was written.

#![allow(dead_code, unused_imports, reason = "each test file uses a part")]

pub mod read;
mod write;

pub use write::{GgufFile, Raw, Tensor, Value};
