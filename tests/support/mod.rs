//! Support shared by tests: plain implementations to compare with, small models, files of every
//! format, recorded runs.

#[cfg(not(target_family = "wasm"))]
pub mod counting;
#[cfg(not(target_family = "wasm"))]
pub mod devices;
pub mod difference;
pub mod gguf_file;
pub mod kernels;
#[cfg(all(not(target_family = "wasm"), feature = "command"))]
pub mod model_folder;
pub mod plain_cache;
pub mod plain_decoder;
pub mod plain_llama;
pub mod reading;
#[cfg(not(target_family = "wasm"))]
pub mod real_model;
pub mod recorded;
pub mod recorded_model;
#[cfg(not(target_family = "wasm"))]
pub mod reference_model;
pub mod safetensors_file;
#[cfg(not(target_family = "wasm"))]
pub mod text;
pub mod tiny_model;
#[cfg(not(target_family = "wasm"))]
pub mod toy_models;
