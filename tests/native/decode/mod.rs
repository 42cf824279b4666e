//! The fused kernels of a decode step.

mod fused;
mod products;
mod reference;
