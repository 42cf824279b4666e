//! Safetensors: one file of tensors, or several with an index, as the Hugging Face hub has them.
//!
//! The format: <https://huggingface.co/docs/safetensors/index#format>. The header's length in 8
//! bytes comes first, then the header in JSON. The tensors' bytes follow without gaps to the end of
//! the file. [`SafetensorsReader`] takes chunks of any size, and hands each tensor's bytes on as
//! they come. It never holds more than the header.
//!
//! The crate `safetensors` reads a file that is in memory, and takes the last of two tensors of one
//! name. It counts with the machine's `usize`, which ends at 4 GiB in the browser. So this is a
//! reader of its own, and the crate is what its tests compare it with.

mod entry;
mod files;
mod header;
mod index;
mod json;
mod stream;

pub use files::{SafetensorsFiles, shard_names};
pub use header::SafetensorsHeader;
pub use index::SafetensorsIndex;

use super::{FileEvent, FileReader, FileSlice, WeightsError, whole};

/// Reads a safetensors file from chunks of any size, as
/// [`GgufReader`](crate::formats::gguf::GgufReader) does GGUF. A file that goes on after its last
/// tensor is an error.
///
/// ```
/// # use kvscope::formats::{WeightsError, safetensors::{SafetensorsEvent, SafetensorsReader}};
/// # fn load(chunks: Vec<Vec<u8>>) -> Result<(), WeightsError> {
/// let mut reader = SafetensorsReader::new(None);
/// for chunk in &chunks {
///     let mut input = chunk.as_slice();
///     while let Some(event) = reader.push(&mut input)? {
///         match event {
///             SafetensorsEvent::Header(header) => println!("{} tensors", header.tensors.len()),
///             SafetensorsEvent::Tensor { index, offset, bytes, last } => { /* to the GPU */ }
///         }
///     }
/// }
/// reader.finish()
/// # }
/// ```
pub type SafetensorsReader = FileReader<SafetensorsHeader>;

/// Output of a [`SafetensorsReader`].
pub type SafetensorsEvent<'a> = FileEvent<'a, SafetensorsHeader>;

/// A whole safetensors file in memory.
pub type SafetensorsSlice<'a> = FileSlice<'a, SafetensorsHeader>;

/// Reads a safetensors file of `file_bytes` (if that is known) from `source` to its end, handing on
/// each event.
///
/// # Errors
///
/// The file's, [`WeightsError::Read`] where the source fails, or an error of `handle`.
pub fn read_safetensors<E: From<WeightsError>>(
    source: impl std::io::Read,
    file_bytes: Option<u64>,
    handle: impl FnMut(SafetensorsEvent<'_>) -> Result<(), E>,
) -> Result<(), E> {
    whole::read_file(source, file_bytes, handle)
}

/// Most bytes of a header's JSON, or of an index; models have some hundred kilobytes.
pub const MAX_HEADER_BYTES: u64 = 32 << 20;
/// Most tensors in a file; the models that kvscope knows have a few hundred.
pub const MAX_TENSORS: usize = 1 << 16;
/// Most pairs in the free part of a header, and most tensors in an index.
pub const MAX_PAIRS: usize = 1 << 16;
/// Most dimensions of a tensor that is read.
pub const MAX_DIMENSIONS: usize = 4;
/// Bytes before the header's JSON: its length.
const LENGTH_BYTES: u64 = 8;
