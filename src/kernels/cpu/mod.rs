//! Kernels for adapters that compute on a CPU: few lanes, dear loads, values swapped within quads.

pub(super) mod float_product;
pub(super) mod quad_attention;
pub(super) mod quad_product;
