//! SCOPE's key-value cache (Wu et al., ACL 2025, arXiv 2412.13649) on burn and WebGPU, and a language model to run on it.

#![warn(missing_docs, clippy::unwrap_used, clippy::expect_used)]

pub mod cache;
pub mod engine;
pub mod error;
pub mod eval;
pub mod generate;
pub mod gpu;
pub mod kernels;
pub mod measure;
pub mod model;
mod random;
pub mod text;
pub mod trace;
#[cfg(target_family = "wasm")]
pub mod web;
pub mod weights;

pub use error::Error;
