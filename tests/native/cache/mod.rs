//! The key-value cache, called as a model calls it.

mod errors;
mod memory;
mod properties;
mod reference;
mod rules;
mod saves;
mod windows;
