//! GGUF files: right ones, wrong ones, damaged ones, what they take of memory, and models in
//! several files.

mod damaged;
mod hostile;
mod memory;
mod pieces;
mod right;
mod split;
