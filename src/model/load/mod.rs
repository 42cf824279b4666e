//! Loading: from the bytes of model files to a model on the device, while they arrive.

mod builder;
#[cfg(not(target_family = "wasm"))]
mod files;
mod loader;
mod progress;
mod sink;

#[cfg(not(target_family = "wasm"))]
pub use files::{LoadedGguf, gguf_files, load_gguf_files};
pub use loader::ModelLoader;
pub use progress::LoadProgress;
