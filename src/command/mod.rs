//! The commands. `kvscope generate` gives a model's text and its cache's memory. `kvscope chat`
//! holds a conversation in the cache. `kvscope eval` gives a cache's cost in quality.
//! `kvscope policies` lists methods, strategies and options.

mod arguments;
mod catalogue;
mod chat;
mod day;
mod failure;
mod fidelity;
mod file;
mod generate;
mod interrupt;
mod invocation;
mod log;
mod open;
mod output;
mod policies;
mod progress;
mod readme;
mod summary;
mod trace;
mod tunings;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use arguments::{CatalogueArguments, ChatArguments, EvalArguments, GenerateArguments, Measure};
use generate::Ended;

/// Run a language model whose key-value cache stays inside a memory budget (SCOPE, arXiv
/// 2412.13649)
#[derive(Parser)]
#[command(version)]
struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    // Larger than a boxed pointer, but a process has one.
    Generate(Box<GenerateArguments>),
    Chat(Box<ChatArguments>),
    Eval(Box<EvalArguments>),
    Policies(CatalogueArguments),
}

/// Exit code that a shell reports after Ctrl-C.
const INTERRUPTED: u8 = 130;

/// Exit codes: 0, 1 for failures, 2 for invalid arguments, 130 after Ctrl-C.
pub fn main() -> ExitCode {
    log::show_warnings();
    let (result, json) = match Command::parse().action {
        Action::Generate(arguments) => (generate::run(&arguments), arguments.json),
        Action::Chat(arguments) => (chat::run(&arguments), false),
        Action::Eval(arguments) => match arguments.measure {
            Measure::Trace(arguments) => (trace::run(&arguments), false),
            Measure::Fidelity(arguments) => (fidelity::run(&arguments), false),
        },
        Action::Policies(arguments) => (catalogue::run(&arguments), false),
    };
    match result {
        Ok(Ended::Whole) => ExitCode::SUCCESS,
        Ok(Ended::Cancelled) => ExitCode::from(INTERRUPTED),
        Err(failure) => {
            failure.report(json);
            failure.exit_code()
        }
    }
}
