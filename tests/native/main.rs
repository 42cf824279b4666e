//! Tests on this machine, a module per room of the library:
//! `cargo test --test native cache::rules`.
//!
//! One program, because each that is linked with burn and wgpu takes seconds to build. Its tests
//! run in a process each, by nextest, or in threads of one, by `cargo test`. None may change what
//! another sees, such as the environment.

#![cfg(not(target_family = "wasm"))]

mod cache;
#[cfg(feature = "command")]
mod command;
mod decode;
mod device;
mod engine;
mod english;
mod eval;
mod formats;
mod generate;
mod kernels;
mod model;
mod operators;
mod policy;
mod rooms;
#[path = "../support/mod.rs"]
mod support;
mod text;

use support::counting::Counting;

/// For the tests that measure memory. It counts by thread, so that tests beside them are not
/// counted.
#[global_allocator]
static ALLOCATOR: Counting = Counting;
