//! Safetensors files: right ones, wrong ones, damaged ones, what they take of memory, and models in several files.

#![cfg(not(target_family = "wasm"))]

#[path = "../counting/mod.rs"]
mod counting;
#[path = "../safetensors_file/mod.rs"]
mod safetensors_file;

mod damaged;
mod files;
mod hostile;
mod memory;
mod right;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;
