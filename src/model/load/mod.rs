//! Loading: from the bytes of model files to a model on the device, while they arrive.

mod builder;
#[cfg(not(target_family = "wasm"))]
mod disk;
#[cfg(not(target_family = "wasm"))]
mod files;
#[cfg(not(target_family = "wasm"))]
mod folder;
mod loader;
mod names;
mod sink;
#[cfg(not(target_family = "wasm"))]
mod tokenizer;

#[cfg(not(target_family = "wasm"))]
pub use files::{LoadedModel, load_model};
pub use loader::{LoadProgress, ModelLoader};
