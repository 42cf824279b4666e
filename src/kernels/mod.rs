//! The fused path: WGSL from `shaders/`, one launcher a shader, each tested against the same operation in plain tensors.

mod error;
mod launch;
mod packed_f16;
mod rms_norm;

pub use error::KernelError;
pub use packed_f16::{PackedF16Extension, pack_f16, unpack_f16};
pub use rms_norm::{RmsNormExtension, rms_norm};
