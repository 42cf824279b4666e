//! Support of the cache's tests: random tensors, a plain implementation of the rules, the tests of
//! every device.

pub mod drive;
pub mod plain;
pub mod suite;
