//! Safetensors: one file of tensors, or several with an index, as the Hugging Face hub has them.
//!
//! The format: <https://huggingface.co/docs/safetensors/index#format>. The header's length in 8 bytes, then the header in
//! JSON, then the tensors' bytes without gaps to the end of the file. [`SafetensorsReader`] takes it in pieces of any size
//! and hands each tensor's bytes on as they come, so that no more than the header is ever held.
//!
//! The crate `safetensors` reads a file that is in memory, counts with the machine's `usize`, which ends at 4 GiB in the
//! browser, and takes the last of two tensors of one name; so this is a reader of its own, and the crate is what its tests
//! compare it with.

mod entry;
mod files;
mod header;
mod index;
mod json;
mod stream;
mod whole;

pub use files::{SafetensorsFiles, shard_names};
pub use header::SafetensorsHeader;
pub use index::SafetensorsIndex;
pub use stream::{SafetensorsEvent, SafetensorsReader};
pub use whole::{SafetensorsSlice, read_safetensors};

/// The most bytes a header's JSON, or an index, may take; models have some hundred kilobytes.
pub const MAX_HEADER_BYTES: u64 = 32 << 20;
/// The most tensors in a file; the models that kvscope knows have a few hundred.
pub const MAX_TENSORS: usize = 1 << 16;
/// The most pairs in the free part of a header, and the most tensors in an index.
pub const MAX_PAIRS: usize = 1 << 16;
/// The most dimensions of a tensor that is read.
pub const MAX_DIMENSIONS: usize = 4;
/// The bytes before the header's JSON: its length.
const LENGTH_BYTES: u64 = 8;
