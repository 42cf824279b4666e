//! Arguments of the commands, and the library's configurations made from them.

mod cache;
mod catalogue;
mod eval;
mod fidelity;
mod policies;
mod prompt;
mod readme;
mod sampling;
mod types;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use kvscope::generate::GenerateConfig;

pub use cache::CacheArguments;
pub use catalogue::CatalogueArguments;
pub use eval::{EvalArguments, Measure, TraceArguments};
pub use fidelity::FidelityArguments;
pub use policies::{PoliciesArguments, Policy, policy};
pub use prompt::PromptArguments;
pub use readme::ReadmeArguments;
pub use sampling::SamplingArguments;
pub use types::{apart, types, word};

/// Continue a prompt under a cache policy
///
/// The text goes to the standard output as it comes. Progress, warnings and the summary of speed
/// and memory go to the standard error. Ctrl-C ends the generation after the running step, with its
/// summary; a second one ends the command at once.
#[derive(Args)]
#[command(verbatim_doc_comment, after_help = EXIT_CODES)]
pub struct GenerateArguments {
    #[command(flatten)]
    pub model: ModelArguments,
    /// Print JSON, a line for each token and one for the summary
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub prompt: PromptArguments,
    #[command(flatten)]
    pub cache: CacheArguments,
    #[command(flatten)]
    length: LengthArguments,
    #[command(flatten)]
    sampling: SamplingArguments,
}

/// Talk with a model whose cache holds the conversation
///
/// Each line of the standard input is a message, or a command that begins with /, such as /help.
/// The cache goes on from the turns before, so that an answer takes the time of the new tokens.
/// Answers go to the standard output, all else to the standard error. Ctrl-C ends an answer, and
/// between answers the command.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct ChatArguments {
    #[command(flatten)]
    pub model: ModelArguments,
    /// System message, in place of the chat template's own
    #[arg(long, value_name = "TEXT")]
    pub system: Option<String>,
    /// File of the conversation and its cache, written after each change. One that is there is gone
    /// on from, under its own rules
    #[arg(long, value_name = "FILE")]
    pub session: Option<PathBuf>,
    /// Text file that the first question is about, read into the cache once
    #[arg(long, value_name = "FILE")]
    pub document: Option<PathBuf>,
    #[command(flatten)]
    pub cache: CacheArguments,
    #[command(flatten)]
    length: LengthArguments,
    #[command(flatten)]
    sampling: SamplingArguments,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    the generation came to its end, or whoever read the output stopped reading
  1    something failed; the standard error says what, with a code for programs
  2    the arguments can't be
  130  ended by Ctrl-C";

#[derive(Args)]
pub struct ModelArguments {
    /// A GGUF file, or any one of a split model's; or a folder with config.json, tokenizer.json and
    /// safetensors
    #[arg(long = "model", value_name = "PATH")]
    pub path: PathBuf,
    /// Device that runs the model
    #[arg(long, value_enum, default_value_t = Place::Gpu)]
    pub device: Place,
}

/// Device to run a model on.
#[derive(Clone, Copy, ValueEnum)]
pub enum Place {
    /// The graphics API's adapter, which may be a software one
    Gpu,
    /// burn's CPU device
    Cpu,
}

#[derive(Args)]
#[command(next_help_heading = "Length")]
struct LengthArguments {
    /// Most tokens to generate; the adaptive strategies pace their budget by it
    #[arg(long, value_name = "TOKENS", default_value_t = GenerateConfig::default().max_new_tokens)]
    max_new_tokens: usize,
    /// End before this text; may be given several times
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// End at this token; may be given several times
    #[arg(long, value_name = "ID")]
    stop_token: Vec<u32>,
    /// Go on past the tokens by which the model ends a turn
    #[arg(long)]
    ignore_eos: bool,
    /// Tokens of the prompt that go to the device at a time
    #[arg(long, value_name = "TOKENS", default_value_t = GenerateConfig::default().prefill_chunk)]
    chunk: usize,
}

impl LengthArguments {
    fn config(&self, sampling: &SamplingArguments) -> GenerateConfig {
        GenerateConfig::default()
            .with_max_new_tokens(self.max_new_tokens)
            .with_stop(self.stop.clone())
            .with_stop_tokens(self.stop_token.clone())
            .with_ignore_eos(self.ignore_eos)
            .with_prefill_chunk(self.chunk)
            .with_sampling(sampling.config())
    }
}

impl GenerateArguments {
    pub fn config(&self) -> GenerateConfig {
        self.length.config(&self.sampling)
    }
}

impl ChatArguments {
    pub fn config(&self) -> GenerateConfig {
        self.length.config(&self.sampling)
    }
}
