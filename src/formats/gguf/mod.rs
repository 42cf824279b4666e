//! GGUF, versions 2 and 3, little-endian: one file with a model's metadata and tensors, or a set of
//! split files.
//!
//! The format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>. A preamble with two
//! counts comes first, then metadata, tensor directory, padding to the file's alignment, and the
//! tensors' bytes. [`GgufReader`] takes chunks of any size, and hands each tensor's bytes on as
//! they come. It never holds more than the header.

mod array;
mod cursor;
mod entries;
mod header;
mod metadata;
mod scalar;
mod split;
mod stream;
mod value;

pub use super::{Directory, TensorInfo};
pub use array::{MetadataArray, StringArray};
pub use header::GgufHeader;
pub use metadata::Metadata;
pub use scalar::ValueType;
pub use split::{Split, SplitFiles, split_names};
pub use value::MetadataValue;

use super::{FileEvent, FileReader, FileSlice, WeightsError, whole};

/// Reads a GGUF file from chunks of any size. Bytes after the last tensor are ignored.
///
/// ```
/// # use kvscope::formats::{WeightsError, gguf::{GgufEvent, GgufReader}};
/// # fn load(chunks: Vec<Vec<u8>>) -> Result<(), WeightsError> {
/// let mut reader = GgufReader::new(None);
/// for chunk in &chunks {
///     let mut input = chunk.as_slice();
///     while let Some(event) = reader.push(&mut input)? {
///         match event {
///             GgufEvent::Header(header) => println!("{} tensors", header.tensors.len()),
///             GgufEvent::Tensor { index, offset, bytes, last } => { /* to the GPU */ }
///         }
///     }
/// }
/// reader.finish()
/// # }
/// ```
pub type GgufReader = FileReader<GgufHeader>;

/// Output of a [`GgufReader`].
pub type GgufEvent<'a> = FileEvent<'a, GgufHeader>;

/// A whole GGUF file in memory.
pub type GgufSlice<'a> = FileSlice<'a, GgufHeader>;

/// Reads a GGUF file from `source` to the end of its last tensor, handing on each event.
/// `file_bytes` is its size, if known.
///
/// # Errors
///
/// The file's, [`WeightsError::Read`] where the source fails, or an error of `handle`.
pub fn read_gguf<E: From<WeightsError>>(
    source: impl std::io::Read,
    file_bytes: Option<u64>,
    handle: impl FnMut(GgufEvent<'_>) -> Result<(), E>,
) -> Result<(), E> {
    whole::read_file(source, file_bytes, handle)
}

/// Most bytes of a header (preamble, metadata and directory). A vocabulary of 262,144 tokens with
/// its merges takes about half of it.
pub const MAX_HEADER_BYTES: u64 = 32 << 20;
/// Most metadata pairs in a file; models have about fifty.
pub const MAX_METADATA_PAIRS: u64 = 1 << 16;
/// Most bytes in a metadata key, by the format.
pub const MAX_KEY_BYTES: u64 = (1 << 16) - 1;
/// Most tensors in a file; the models that kvscope knows have a few hundred.
pub const MAX_TENSORS: u64 = 1 << 16;
/// Most bytes in a tensor's name, by the format.
pub const MAX_TENSOR_NAME_BYTES: u64 = 64;
/// Most dimensions of a tensor, by the format.
pub const MAX_DIMENSIONS: u32 = 4;
/// Alignment of a file that does not name one.
pub const DEFAULT_ALIGNMENT: u64 = 32;
