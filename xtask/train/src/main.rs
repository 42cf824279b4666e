//! Trains the model of the trace task with burn, on the CPU: `cargo xtask train` runs it.

mod batch;
mod checkpoint;
mod curriculum;
mod evaluate;
mod export;
/// The tests' own writer.
#[path = "../../../tests/support/gguf_file/write.rs"]
#[allow(dead_code, reason = "training does not need all of it")]
mod gguf_file;
mod gradient;
mod measure;
mod model;
mod q8_0;
/// The library's own, like the trace task.
#[path = "../../../src/generate/random.rs"]
mod random;
mod shape;
/// The library's own. As a dependency it would bring burn's GPU back ends along.
#[path = "../../../src/eval/trace/mod.rs"]
#[allow(dead_code, unused_imports, reason = "training does not need all of it")]
mod trace;
mod trainer;
mod vocabulary;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

/// Trains the model of the trace task
#[derive(Parser)]
struct Options {
    /// Folder of checkpoints, curve and model. Training goes on from the checkpoint in it
    #[arg(long)]
    folder: PathBuf,
    /// Begin anew although there is a checkpoint
    #[arg(long)]
    restart: bool,
    /// Steps in all
    #[arg(long, default_value_t = 2000)]
    steps: usize,
    /// Steps at the end over which the learning rate falls. The steps before do not depend on the
    /// total
    #[arg(long, default_value_t = 1000)]
    cool_down: usize,
    /// Tokens of a step, about
    #[arg(long, default_value_t = 2048)]
    tokens: usize,
    /// The learning rate
    #[arg(long, default_value_t = 5e-3)]
    rate: f64,
    /// Of the weights at first, and of the programs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only measure how fast burn's back ends are
    #[arg(long)]
    measure: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    if options.measure {
        measure::measure(options.tokens)
    } else {
        trainer::train(&options)
    }
}
