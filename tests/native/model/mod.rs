//! Models of the Llama family: their configurations, their files, their logits.

mod by_hand;
mod config;
mod files;
mod parity;
mod tiny;
