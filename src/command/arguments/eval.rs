//! Arguments of `kvscope eval`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{FidelityArguments, Place, PoliciesArguments, ReadmeArguments};

/// Measure what cache policies cost in quality
#[derive(Args)]
pub struct EvalArguments {
    #[command(subcommand)]
    pub measure: Measure,
}

#[derive(Subcommand)]
pub enum Measure {
    Trace(TraceArguments),
    Fidelity(FidelityArguments),
}

/// Accuracy on the trace task: programs that the model executes line by line, graded by exact match
///
/// Tokens are chosen greedily, so that a rerun on the same adapter gives the same numbers. Programs
/// are made from --seed; those of `cargo xtask train` have other seeds.
#[derive(Args)]
pub struct TraceArguments {
    /// A GGUF file that has learnt the task, such as `cargo xtask train` makes
    #[arg(long, value_name = "PATH")]
    pub model: PathBuf,
    /// Device that runs the model
    #[arg(long, value_enum, default_value_t = Place::Gpu)]
    pub device: Place,
    /// Lines of the programs
    #[arg(long, value_name = "LINES", value_delimiter = ',', default_values_t = [16, 32, 48])]
    pub lines: Vec<usize>,
    /// Programs of each length
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub programs: u64,
    /// The seed of the first program; each takes the next
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub policies: PoliciesArguments,
    /// Write everything that was measured to this file
    #[arg(long = "json", value_name = "PATH")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub readme: ReadmeArguments,
}
