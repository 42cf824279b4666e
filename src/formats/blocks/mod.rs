//! How a tensor's elements are stored: plain numbers, or blocks of quantised ones.
//!
//! The formats are those of ggml, little-endian. What is here reads a block element by element, as its format is
//! described: the reference that the GPU's kernels are tested against, not a fast path.

mod format;
mod k_scales;
mod plain;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;

pub use format::BlockFormat;

/// Reads the f16 at `block[at..at + 2]`; callers pass constant places inside a block.
fn half_at<const N: usize>(block: &[u8; N], at: usize) -> f32 {
    half::f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// Reads the u32 at `block[at..at + 4]`; callers pass constant places inside a block.
fn word_at<const N: usize>(block: &[u8; N], at: usize) -> u32 {
    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}
