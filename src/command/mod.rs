//! `kvscope generate`: a model's text in a terminal or for a program, and what its cache came to.

mod arguments;
mod failure;
mod generate;
mod log;
mod output;
mod progress;
mod summary;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use arguments::GenerateArguments;

/// Run a language model whose key-value cache stays inside a memory budget (SCOPE, arXiv 2412.13649)
#[derive(Parser)]
#[command(version)]
struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    // Larger than a boxed pointer, but there is one of it in a process.
    Generate(Box<GenerateArguments>),
}

/// Exit codes: 0, 1 for what failed, 2 for arguments that can't be.
pub fn main() -> ExitCode {
    log::show_warnings();
    let Action::Generate(arguments) = Command::parse().action;
    match generate::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report(arguments.json);
            failure.exit_code()
        }
    }
}
