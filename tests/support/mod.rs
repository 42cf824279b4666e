//! What native and browser tests share.

pub mod kernels;
