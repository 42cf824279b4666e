//! `kvscope generate`: a model's text in a terminal or for a program, and what its cache came to.

mod arguments;
mod failure;
mod generate;
mod interrupt;
mod log;
mod output;
mod progress;
mod summary;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use arguments::GenerateArguments;
use generate::Ended;

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

/// What a shell reports for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Exit codes: 0, 1 for what failed, 2 for arguments that can't be, 130 for what Ctrl-C ended.
pub fn main() -> ExitCode {
    log::show_warnings();
    let Action::Generate(arguments) = Command::parse().action;
    match generate::run(&arguments) {
        Ok(Ended::Whole) => ExitCode::SUCCESS,
        Ok(Ended::Cancelled) => ExitCode::from(INTERRUPTED),
        Err(failure) => {
            failure.report(arguments.json);
            failure.exit_code()
        }
    }
}
