//! Support of the cache's tests: random tensors, a plain implementation of the rules, the tests of
//! every device.

pub mod drive;
pub mod plain;
mod rounding;
pub mod suite;
