//! GGUF files for tests.

mod write;

pub use write::{GgufFile, Raw, Value};
