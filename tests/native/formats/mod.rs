//! Files of weights, and the blocks in them.

mod blocks;
mod gguf;
mod safetensors;
