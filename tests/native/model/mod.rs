//! Models of the Llama family: their configurations, their files, their logits.

mod aliases;
mod by_hand;
mod config;
mod conversations;
mod files;
mod greedy;
mod parity;
mod reference;
mod tiny;
