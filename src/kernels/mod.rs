//! Kernels: WGSL from `shaders/`, one launcher per shader, each tested against the same operation
//! in plain tensors.

mod attention_output;
mod attention_probabilities;
mod block_matrix;
pub(crate) mod block_source;
mod buffer;
mod cpu;
mod error;
mod launch;
mod prompt_attention;
mod rms_norm;
mod rope;
mod rows;
pub(crate) mod template;

pub use attention_output::{AttentionOutputExtension, attention_output};
pub(crate) use attention_probabilities::attention_scale;
use attention_probabilities::window_word;
pub use attention_probabilities::{
    AttentionProbabilitiesExtension, attention_probabilities, attention_takes,
};
pub use block_matrix::{BlockMatrix, BlockMatrixExtension, MatrixShape};
pub use buffer::{BoundBuffer, BufferExtension, buffer_of, int_buffer_of};
pub use error::KernelError;
pub use prompt_attention::{
    PromptAttentionExtension, prompt_attention, prompt_attention_takes, prompt_scores,
};
pub use rms_norm::{RmsNormExtension, rms_norm};
pub use rope::{RopeExtension, rope};
pub use rows::{RowExtension, RowFormat, StoredRows, pack_rows, unpack_rows};

use burn::tensor::Device;

/// True if the kernels run on `device`.
///
/// A browser has devices of wgpu only. This says so to the compiler, which then leaves the code for
/// other devices out of the module.
#[inline]
pub fn runs_wgsl(device: &Device) -> bool {
    cfg!(target_family = "wasm") || error::expect_wgpu("", device).is_ok()
}
