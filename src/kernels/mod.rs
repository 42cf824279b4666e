//! The fused path: WGSL from `shaders/`, one launcher a shader, each tested against the same operation in plain tensors.

mod block_matrix;
mod block_source;
mod error;
mod launch;
mod packed_f16;
mod rms_norm;
mod rope;

pub use block_matrix::{BlockMatrix, BlockMatrixExtension, MatrixShape};
pub use error::KernelError;
pub use packed_f16::{PackedF16Extension, pack_f16, unpack_f16};
pub use rms_norm::{RmsNormExtension, rms_norm};
pub use rope::{RopeExtension, rope};

use burn::tensor::Device;

/// Whether the kernels run on `device`.
pub fn runs_wgsl(device: &Device) -> bool {
    error::expect_wgpu("", device).is_ok()
}
