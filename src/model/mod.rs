//! The Llama family as burn modules.

mod attention;
mod block;
pub mod config;
mod error;
mod feed_forward;
mod llama;
pub mod load;
mod matrix;
mod norm;
mod rope;
mod rotation;
mod weight;

pub use error::ModelError;
pub use llama::{Llama, LogitRows};
pub use load::*;
