//! Arguments of `kvscope eval fidelity`.

use std::path::PathBuf;

use clap::Args;

use super::{Place, PoliciesArguments, ReadmeArguments};

/// Fidelity: how far what a model says under a cache policy is from what it says under a full cache
///
/// Each example's prompt and gold answer are fed under every policy (teacher forcing). The next
/// token's distribution is compared with the full cache's at every position of the answer. The
/// measures are KL(full in f16 || policy) in nats, agreement of the likeliest token, and the loss.
/// Bytes are those held from the end of the prefill on, as a share of a full cache in f16.
/// Policies in f32 are compared with a full cache in f32; they can't be in
/// one run with others. Intervals are 95 % by the bootstrap over examples.
///
/// A rerun with the same --json file skips the examples that are in it. Ctrl-C ends after the
/// running step. Finished examples are kept; the unfinished one is begun anew.
#[derive(Args)]
pub struct FidelityArguments {
    /// A GGUF file, or any one of a split model's; or a folder with config.json, tokenizer.json and
    /// safetensors
    #[arg(long, value_name = "PATH")]
    pub model: PathBuf,
    /// Device that runs the model. The CPU is the default: it reads the matrices once for all
    /// policies, by tensor operations. A GPU computes the answer by the kernels of a generation,
    /// one policy after the other. An emulated GPU is far slower
    #[arg(long, value_enum, default_value_t = Place::Cpu)]
    pub device: Place,
    /// Examples, a file of JSON lines or a folder of .jsonl files; may be given several times. A
    /// line has a `prompt` and its `answer`; or, as in LongGenBench, a `prompt`, `questions` and
    /// `answers`. The gold answer is then written from these, in the format of the prompt's own
    /// examples
    #[arg(long, value_name = "PATH", required = true)]
    pub data: Vec<PathBuf>,
    /// Take the first of each file only
    #[arg(long, value_name = "COUNT")]
    pub examples: Option<usize>,
    /// Cut the gold answers to so many tokens, by which T is shorter too
    #[arg(long, value_name = "TOKENS", value_parser = at_least_two)]
    pub max_answer: Option<usize>,
    /// Feed the prompt itself, without the model's chat template
    #[arg(long)]
    pub raw: bool,
    #[command(flatten)]
    pub policies: PoliciesArguments,
    /// Samples of the bootstrap
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    pub bootstrap: usize,
    /// The seed of the bootstrap
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
    /// Write everything that was measured to this file, after each example, and go on from what is
    /// there
    #[arg(long = "json", value_name = "PATH")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub readme: ReadmeArguments,
    /// Measurements of others to draw in the plot as well. Either JSON, a list of `{"name",
    /// "share", "kl"}` with the share of the bytes of a full cache in f16. Or lines of these three
    /// with tabs between. Or lines such as `Q8_0 positions 488 KL 0.0028`, whose bytes are those of
    /// llama.cpp's type
    #[arg(long, value_name = "PATH")]
    pub points: Option<PathBuf>,
    /// Draw bytes on a logarithmic scale
    #[arg(long)]
    pub log_bytes: bool,
}

fn at_least_two(text: &str) -> Result<usize, String> {
    let tokens = text.parse().ok().filter(|tokens| *tokens >= 2);
    tokens.ok_or_else(|| "not a number of at least 2".to_owned())
}
