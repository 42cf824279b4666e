//! Model files, read and checked as they arrive, and the block formats of their tensors.
//!
//! Nothing here believes a file. Every count, length, offset, shape and name is checked before it
//! is used. Sizes are computed so that overflow is an error, and memory grows only with bytes that
//! have really been delivered.

pub mod blocks;
mod directory;
mod error;
pub mod gguf;
pub mod planes;
pub mod safetensors;
mod shards;
mod stream;
mod whole;

pub use blocks::BlockFormat;
pub use directory::{Directory, TensorInfo};
pub use error::WeightsError;
pub use stream::{FileEvent, FileHeader, FileReader};
pub use whole::FileSlice;
