//! The readers of model files, without the rest of kvscope: burn would have to be built again with the fuzzer's flags.

#[path = "../../src/weights/mod.rs"]
pub mod weights;
