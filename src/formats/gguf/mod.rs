//! GGUF, versions 2 and 3, little-endian: one file that holds a model's metadata and tensors, or a set of split files.
//!
//! The format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>. A preamble with two counts, then the metadata,
//! then the tensor directory, then padding to the file's alignment, then the tensors' bytes. [`GgufReader`] takes it in
//! pieces of any size and hands each tensor's bytes on as they come, so that no more than the header is ever held.

mod array;
mod cursor;
mod entries;
mod header;
mod metadata;
mod split;
mod stream;
mod value;
mod whole;

pub use super::{Directory, TensorInfo};
pub use array::{MetadataArray, StringArray};
pub use header::GgufHeader;
pub use metadata::Metadata;
pub use split::{Split, SplitFiles, split_names};
pub use stream::{GgufEvent, GgufReader};
pub use value::{MetadataValue, ValueType};
pub use whole::{GgufSlice, read_gguf};

/// The most bytes a header (preamble, metadata and directory) may take. A vocabulary of 262,144 tokens with its merges
/// takes about half of it.
pub const MAX_HEADER_BYTES: u64 = 32 << 20;
/// The most metadata pairs in a file; models have about fifty.
pub const MAX_METADATA_PAIRS: u64 = 1 << 16;
/// The most bytes in a metadata key, by the format.
pub const MAX_KEY_BYTES: u64 = (1 << 16) - 1;
/// The most tensors in a file; the models that kvscope knows have a few hundred.
pub const MAX_TENSORS: u64 = 1 << 16;
/// The most bytes in a tensor's name, by the format.
pub const MAX_TENSOR_NAME_BYTES: u64 = 64;
/// The most dimensions of a tensor, by the format.
pub const MAX_DIMENSIONS: u32 = 4;
/// The alignment of a file that does not name one.
pub const DEFAULT_ALIGNMENT: u64 = 32;
