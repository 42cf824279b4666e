//! SCOPE's key-value cache (Wu et al., ACL 2025, arXiv 2412.13649) on burn and WebGPU, with a
//! language model.

#![warn(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[cfg(target_family = "wasm")]
pub mod bindings;
pub mod cache;
pub mod device;
pub mod engine;
pub mod error;
pub mod eval;
pub mod formats;
pub mod fused;
pub mod generate;
pub mod kernels;
#[cfg(feature = "bench")]
pub mod measure;
pub mod model;
pub mod policy;
mod quoted;
mod setters;
mod shaders;
pub mod text;

pub use error::Error;
