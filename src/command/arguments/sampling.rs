//! Arguments for the choice of each token: one per option that the library declares.

use std::sync::LazyLock;

use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use kvscope::generate::{Range, SamplingConfig, SamplingOption, SamplingValue};

#[derive(Clone)]
pub struct SamplingArguments(SamplingConfig);

impl SamplingArguments {
    pub fn config(&self) -> SamplingConfig {
        self.0.clone()
    }
}

impl Args for SamplingArguments {
    fn augment_args(command: Command) -> Command {
        command.next_help_heading("Sampling").args(flags())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SamplingArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut config = SamplingConfig::default();
        for option in SamplingConfig::OPTIONS {
            if let Some(text) = matches.get_one::<String>(option.name) {
                let set = config.set(option, text);
                set.map_err(|reason| clap::Error::raw(ErrorKind::ValueValidation, reason))?;
            }
        }
        Ok(Self(config))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The options' flags.
fn flags() -> impl Iterator<Item = Arg> {
    /// Name and default of every flag. clap keeps references to them.
    static TEXTS: LazyLock<Vec<[String; 2]>> = LazyLock::new(|| {
        let options = SamplingConfig::OPTIONS.iter();
        let texts = options.map(|option| [option.flag(), option.default_value().to_string()]);
        texts.collect()
    });
    let options = SamplingConfig::OPTIONS.iter().zip(&*TEXTS);
    options.map(|(option, [flag, default])| {
        Arg::new(option.name)
            .long(flag.as_str())
            .help(option.help)
            .value_name(value_name(option))
            .default_value(default.as_str())
            .allow_negative_numbers(true)
            .value_parser(|text: &str| {
                let set = SamplingConfig::default().set(option, text);
                set.map(|()| text.to_owned())
            })
    })
}

/// Name of the flag's value in the help.
fn value_name(option: &SamplingOption) -> &'static str {
    match (option.default_value(), option.range) {
        (SamplingValue::Number(_), Range::Within(_, 1.0) | Range::Above(_, 1.0)) => "SHARE",
        (SamplingValue::Number(_) | SamplingValue::Seed(_), _) => "NUMBER",
        (SamplingValue::Tokens(_), _) => "TOKENS",
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    #[command(no_binary_name = true)]
    struct Generate {
        #[command(flatten)]
        sampling: SamplingArguments,
    }

    fn config(arguments: &[&str]) -> Result<SamplingConfig, String> {
        let parsed = Generate::try_parse_from(arguments);
        let config = parsed.map(|generate| generate.sampling.config());
        config.map_err(|error| error.to_string())
    }

    #[test]
    fn flags_are_the_options_of_the_same_names() {
        let json = serde_json::json!({
            "temperature": 0.7, "topK": 40, "topP": 0.9, "minP": 0.05,
            "repetitionPenalty": 1.2, "repetitionWindow": 0, "frequencyPenalty": 0.5,
            "presencePenalty": -0.5, "seed": u64::MAX,
        });
        let flags = [
            "--temperature=0.7",
            "--top-k=40",
            "--top-p=0.9",
            "--min-p=0.05",
            "--repetition-penalty=1.2",
            "--repetition-window=0",
            "--frequency-penalty=0.5",
            "--presence-penalty=-0.5",
            "--seed=18446744073709551615",
        ];
        assert_eq!(flags.len(), SamplingConfig::OPTIONS.len());
        assert_eq!(config(&flags), Ok(serde_json::from_value(json).unwrap()));
        assert_eq!(config(&[]), Ok(SamplingConfig::default()));
        let apart = config(&["--presence-penalty", "-1.5"]);
        assert_eq!(
            apart,
            Ok(SamplingConfig::default().with_presence_penalty(-1.5))
        );
    }

    #[test]
    fn the_help_has_sentences_names_and_defaults() {
        use clap::CommandFactory;
        let help = Generate::command().render_help().to_string();
        let words: Vec<_> = help.split_whitespace().collect();
        let help = words.join(" ");
        for text in [
            "Sampling: --temperature <NUMBER> Divide logits by this; 0 always takes the likeliest \
             token [default: 0]",
            "--top-k <TOKENS> Choose among this many of the likeliest tokens; 0 for all \
             [default: 0]",
            "--min-p <SHARE> Choose among tokens",
            "--repetition-penalty <NUMBER> Make tokens that have occurred less likely; 1 does not \
             [default: 1]",
            "--seed <NUMBER>",
        ] {
            assert!(help.contains(text), "no {text:?} in {help}");
        }
    }

    #[test]
    fn a_value_of_another_type_is_refused_with_its_flag() {
        for (given, flag) in [("--top-k=many", "--top-k"), ("--min-p=x", "--min-p")] {
            let refused = config(&[given]).unwrap_err();
            assert!(refused.contains("invalid value"), "{refused}");
            assert!(refused.contains(flag), "{refused}");
        }
    }
}
