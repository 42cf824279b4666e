//! What `kvscope eval` is told.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::{CacheArguments, FidelityArguments, Place};

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
/// Tokens are chosen greedily, so that a rerun on the same adapter gives the same numbers. Programs are made from
/// --seed; those of `cargo xtask train` have other seeds.
#[derive(Args)]
pub struct TraceArguments {
    /// A GGUF file that has learnt the task, such as `cargo xtask train` makes
    #[arg(long, value_name = "PATH")]
    pub model: PathBuf,
    /// Where the model runs
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
    /// A cache policy, by the cache options of `kvscope generate` without their dashes, such as "prefill-method=snapkv
    /// prefill-budget=50% decode-strategy=slide decode-budget=25%"; or "full". May be given several times
    #[arg(long = "policy", value_name = "OPTIONS", default_value = "full", value_parser = policy)]
    pub policies: Vec<Policy>,
    /// Write everything that was measured to this file
    #[arg(long = "json", value_name = "PATH")]
    pub output: Option<PathBuf>,
}

/// A cache policy and how it was written.
#[derive(Clone)]
pub struct Policy {
    pub name: String,
    pub cache: CacheArguments,
}

/// What a policy is read as.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Options {
    #[command(flatten)]
    cache: CacheArguments,
}

pub fn policy(text: &str) -> Result<Policy, String> {
    let words = text.split_whitespace().filter(|word| *word != "full");
    let options = Options::try_parse_from(words.map(|word| format!("--{word}")));
    // The last paragraph of clap's message only points at a help that is not there.
    let options = options.map_err(|error| {
        let message = error.to_string();
        let first = message.split("\n\n").next().unwrap_or_default();
        first.trim_start_matches("error: ").to_owned()
    })?;
    options.cache.check().map_err(|error| error.to_string())?;
    Ok(Policy {
        name: text.to_owned(),
        cache: options.cache,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kvscope::cache::{DecodeStrategy, PrefillMethod};

    #[test]
    fn policies_are_read_as_the_options_of_generate() {
        let full = policy("full").unwrap().cache.options();
        assert_eq!(full.prefill.method, PrefillMethod::Full);
        assert_eq!(full.decode.strategy, DecodeStrategy::Full);
        let text = "prefill-method=snapkv prefill-budget=50% decode-strategy=slide decode-budget=64 recent=16";
        let given = policy(text).unwrap().cache.options();
        assert_eq!(given.prefill.method, PrefillMethod::SnapKv);
        assert_eq!(given.decode.strategy, DecodeStrategy::Slide);
        assert_eq!(given.decode.recent, Some(16));
    }

    #[test]
    fn what_is_no_policy_is_refused_with_a_reason() {
        for (text, reason) in [
            ("decode-strategy=best", "best"),
            ("temperature=1", "--temperature"),
            ("decode-strategy=slide decode-budget=half", "half"),
            ("slide", "--slide"),
        ] {
            let Err(refused) = policy(text) else {
                panic!("{text} was taken");
            };
            assert!(refused.contains(reason), "{refused}");
        }
    }
}
