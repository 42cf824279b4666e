//! Model files: reading and checking them as they arrive, and the block formats that their tensors are stored in.
//!
//! Nothing here believes a file. Every count, length, offset, shape and name is checked before it is used, sizes are
//! computed so that overflow is an error, and memory grows only with bytes that have really been delivered.

pub mod blocks;
mod data;
mod directory;
mod error;
pub mod gguf;
pub mod planes;
pub mod safetensors;
mod shards;
mod source;

pub use blocks::BlockFormat;
pub use directory::{Directory, TensorInfo};
pub use error::WeightsError;
