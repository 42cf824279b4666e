//! The program `kvscope`, run as its users run it.

mod chat;
mod fidelity;
mod files;
#[cfg(unix)]
mod interrupt;
mod model;
mod usage;
