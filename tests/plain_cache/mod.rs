//! What the cache's tests share: devices, random tensors, a plain implementation of the rules.

#![allow(dead_code, reason = "every test file uses its own part")]

#[cfg(not(target_family = "wasm"))]
pub mod devices;
pub mod drive;
pub mod plain;
pub mod suite;
