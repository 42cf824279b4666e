//! The `kvscope` command.

#![warn(clippy::unwrap_used, clippy::expect_used)]

#[cfg(not(target_family = "wasm"))]
mod command;

#[cfg(not(target_family = "wasm"))]
fn main() -> std::process::ExitCode {
    command::main()
}

/// The browser's tests build every binary.
#[cfg(target_family = "wasm")]
fn main() {}
