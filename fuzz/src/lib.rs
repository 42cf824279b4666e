//! The readers of model files, without the rest of kvscope: burn would have to be built again with the fuzzer's flags.

#[path = "../../src/formats/mod.rs"]
#[allow(
    unused_imports,
    dead_code,
    reason = "some of it is there for the rest of kvscope"
)]
pub mod formats;

#[path = "../../src/quoted.rs"]
mod quoted;
