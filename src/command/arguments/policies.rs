//! The policies that `kvscope eval` compares.

use clap::{Args, Parser};
use kvscope::cache::{CacheType, CacheTypes};
use kvscope::policy::presets::Pair;

use super::CacheArguments;
use super::types::{apart, one, types};
use crate::command::policies;

#[derive(Args)]
#[command(next_help_heading = "Policies")]
pub struct PoliciesArguments {
    /// Policies by short names: PREFILL+DECODE, such as snapkv+slide. Alone, slide, adaptive and
    /// discontinuous have a full prefill; h2o, pyramidinfer and streamingllm are for both phases.
    /// Also full, and paper for the paper's grid, the default without --policy; and frontier for
    /// the best of each kind. The prefill budget
    /// is --prefill-share of the prompt, the decode budget each --decode-ratio of the answer
    #[arg(
        long = "policies",
        value_name = "NAMES",
        value_delimiter = ',',
        value_parser = policies::pairs,
    )]
    pub names: Vec<Vec<Pair>>,
    /// B: decode budgets of the policies by name, as shares of T, the tokens of the answer
    #[arg(
        long,
        value_name = "SHARES",
        value_delimiter = ',',
        default_values = ["0.25", "0.125"],
        value_parser = Share::parse,
    )]
    pub decode_ratio: Vec<Share>,
    /// A: prefill budget of the policies by name, as a share of the prompt
    #[arg(long, value_name = "SHARE", default_value = "0.5", value_parser = Share::parse)]
    pub prefill_share: Share,
    /// The prefill budget's share of all slots. The slots of both budgets, as above, are divided
    /// anew, which changes what is kept but hardly how much. For policies by name that compress the
    /// prompt
    #[arg(long, value_name = "SHARES", value_delimiter = ',', value_parser = Share::parse)]
    pub split: Vec<Share>,
    /// β2: the newest positions, always kept, as a share of the decode budget. A policy of --policy
    /// without `recent` has the first of several
    #[arg(
        long,
        value_name = "SHARES",
        value_delimiter = ',',
        default_values = ["0.5"],
        value_parser = Share::parse,
    )]
    pub recent_share: Vec<Share>,
    /// Types in which keys and values are stored: one word, or the keys' and the values', such as
    /// h8/h4. Each policy is compared in each of several. A policy of --policy with a type of its
    /// own keeps that. The bytes of any type are compared with a full cache in f16
    #[arg(
        long,
        value_name = "TYPES",
        value_delimiter = ',',
        default_values = ["f16"],
        value_parser = types,
    )]
    pub cache_type: Vec<CacheTypes>,
    /// Type of the keys, in place of --cache-type's
    #[arg(long, value_name = "TYPE", value_parser = one)]
    cache_type_k: Option<CacheType>,
    /// Type of the values, in place of --cache-type's
    #[arg(long, value_name = "TYPE", value_parser = one)]
    cache_type_v: Option<CacheType>,
    /// One more policy, by the cache options of `kvscope generate` without their dashes, such as
    /// "prefill-method=snapkv prefill-budget=30% decode-strategy=slide decode-budget=128
    /// recent=16". May be given several times
    #[arg(long = "policy", value_name = "OPTIONS", value_parser = policy)]
    pub others: Vec<Policy>,
}

impl PoliciesArguments {
    /// Types of keys and values, each once.
    pub fn types(&self) -> Vec<CacheTypes> {
        let mut all = Vec::new();
        for given in &self.cache_type {
            let types = apart(*given, self.cache_type_k, self.cache_type_v);
            if !all.contains(&types) {
                all.push(types);
            }
        }
        all
    }
}

/// A share, above 0 and at most 1.
#[derive(Clone, Copy, PartialEq)]
pub struct Share(pub f32);

impl Share {
    fn parse(text: &str) -> Result<Self, String> {
        let share = text.parse().ok();
        let share = share.filter(|share: &f32| *share > 0.0 && *share <= 1.0);
        share
            .map(Self)
            .ok_or_else(|| "not above 0 and at most 1".to_owned())
    }
}

/// A cache policy and how it was written.
#[derive(Clone)]
pub struct Policy {
    pub name: String,
    pub cache: CacheArguments,
}

/// Options that the words of a policy are parsed as.
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
