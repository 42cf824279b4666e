//! `cargo xtask`: all work on this repository is one of these commands.

mod adding;
mod bench;
mod child;
mod contributors;
mod demo;
mod descendants;
mod fuzz;
mod lint;
mod missing;
mod module;
mod parity;
mod setup;
mod ship;
mod size;
mod stage;
mod test;
mod train;
mod versions;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::setup::{Kit, ModelName};
use crate::workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Build, run and test kvscope")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Get everything that the other commands need; what is there already is left alone
    Setup,
    /// Get a real model, checked, and print where it is
    Model {
        /// Model
        #[arg(value_enum, default_value_t)]
        name: ModelName,
    },
    /// Run every check and every test, and say how long each took
    Test(test::Options),
    /// Compare the real models' choices and tokens with llama.cpp's, outside of `test`
    Parity(parity::Options),
    /// Compile and run the examples of docs/adding.md in a copy of this checkout
    Adding,
    /// Look for files that the readers of models fail on, with libFuzzer
    Fuzz(fuzz::Options),
    /// Train the model of the trace task on the processor, or go on with it: hours
    Train(train::Options),
    /// Measure prefill and decoding of the real model, and count what a step asks of WebGPU
    Bench(bench::Options),
    /// Build the page and serve it on this machine until Ctrl-C
    Demo(demo::Options),
    /// Build the npm package and the page as they are published
    Build,
    /// Build as published and show what the WebAssembly module weighs, and why
    Size {
        /// A module to look at instead, with its names kept, without building anything
        #[arg(long)]
        module: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    child::end_with_children()?;
    let kit = Kit::new(Workspace::find()?);
    match command {
        Command::Setup => kit.complete(),
        Command::Model { name } => {
            println!("{}", kit.model_named(name)?.file.display());
            Ok(())
        }
        Command::Test(options) => test::run(&kit, &options),
        Command::Parity(options) => parity::run(&kit, &options),
        Command::Adding => adding::run(&kit),
        Command::Fuzz(options) => fuzz::run(&kit, &options),
        Command::Train(options) => train::run(&kit, &options),
        Command::Bench(options) => bench::run(&kit, &options),
        Command::Demo(options) => demo::run(&kit, &options),
        Command::Build => ship::run(&kit).map(|_| ()),
        Command::Size { module } => size::run(&kit, module.as_deref()),
    }
}
