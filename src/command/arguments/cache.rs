//! The cache's policy. Texts, defaults and ranges are the library's declarations.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::LazyLock;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches, value_parser};
use kvscope::Error;
use kvscope::cache::{
    BudgetOption, CACHE_TYPE, CacheError, CacheOptions, CacheType, DecodeOptions, DecodeStrategy,
    PrefillMethod, PrefillOptions, ScopeCacheConfig,
};
use kvscope::policy::{
    DECODE_BUDGET, Description, Kind, OBSERVATION_WINDOW, OptionEntry, PREFILL_BUDGET, Parameters,
    RECENT, Spec, Value,
};

use super::types::apart;

#[derive(Args, Clone)]
#[command(next_help_heading = "Cache")]
pub struct CacheArguments {
    #[arg(
        long,
        value_name = "METHOD",
        help = help("prefill_method"),
        default_value_t = PrefillMethod::Full,
        value_parser = one_of(PrefillMethod::ALL, |one| described(one.name(), one.description())),
    )]
    prefill_method: PrefillMethod,
    #[arg(
        long,
        value_name = "SLOTS|PERCENT%",
        help = help(PREFILL_BUDGET.name),
        default_value = default(PREFILL_BUDGET.name),
        value_parser = budget,
    )]
    prefill_budget: BudgetOption,
    #[arg(
        long,
        value_name = "TOKENS",
        help = help(OBSERVATION_WINDOW.spec.name),
        default_value_t = OBSERVATION_WINDOW.default_value(),
    )]
    observation_window: usize,
    #[command(flatten)]
    prefill: PrefillParameters,
    #[arg(
        long,
        value_name = "STRATEGY",
        help = help("decode_strategy"),
        default_value_t = DecodeStrategy::Full,
        value_parser = one_of(DecodeStrategy::ALL, |one| described(one.name(), one.description())),
    )]
    decode_strategy: DecodeStrategy,
    #[arg(
        long,
        value_name = "SLOTS|PERCENT%",
        help = help(DECODE_BUDGET.name),
        default_value = default(DECODE_BUDGET.name),
        value_parser = budget,
    )]
    decode_budget: BudgetOption,
    #[arg(
        long,
        value_name = "TOKENS",
        help = help(RECENT.spec.name),
        default_value_t = RECENT.default_value(),
    )]
    recent: usize,
    #[command(flatten)]
    decode: DecodeParameters,
    #[arg(
        long,
        value_name = "TYPE",
        help = help(CACHE_TYPE.spec.name),
        default_value = default(CACHE_TYPE.spec.name),
        value_parser = one_of(CacheType::ALL, |one| one.name().into()),
    )]
    cache_type: CacheType,
    /// Type in which keys are stored; that of `--cache-type` by default.
    #[arg(
        long,
        value_name = "TYPE",
        value_parser = one_of(CacheType::ALL, |one| one.name().into()),
    )]
    cache_type_k: Option<CacheType>,
    /// Type in which values are stored; that of `--cache-type` by default.
    #[arg(
        long,
        value_name = "TYPE",
        value_parser = one_of(CacheType::ALL, |one| one.name().into()),
    )]
    cache_type_v: Option<CacheType>,
}

/// Flags of the parameters of all rules of one kind.
macro_rules! parameters {
    ($name:ident of $rules:ident) => {
        #[derive(Clone)]
        struct $name(Parameters);

        impl Args for $name {
            fn augment_args(command: clap::Command) -> clap::Command {
                command.args($rules::all_parameters().into_iter().map(flag))
            }

            fn augment_args_for_update(command: clap::Command) -> clap::Command {
                Self::augment_args(command)
            }
        }

        impl FromArgMatches for $name {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
                let mut parameters = Parameters::default();
                for spec in $rules::all_parameters() {
                    if let Some(value) = given(spec, matches) {
                        parameters.insert(spec, value);
                    }
                }
                Ok(Self(parameters))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
                *self = Self::from_arg_matches(matches)?;
                Ok(())
            }
        }
    };
}

parameters!(PrefillParameters of PrefillMethod);
parameters!(DecodeParameters of DecodeStrategy);

/// A parameter's flag.
fn flag(spec: &'static Spec) -> Arg {
    let flag = Arg::new(spec.name)
        .long(long(spec.name))
        .help(help(spec.name));
    let flag = match spec.kind {
        Kind::Switch => return flag.action(ArgAction::SetTrue),
        Kind::Count { .. } => flag.value_parser(value_parser!(usize)).value_name("NUMBER"),
        Kind::Share { .. } => flag.value_parser(value_parser!(f32)).value_name("SHARE"),
        Kind::Choice { names, .. } => flag
            .value_parser(PossibleValuesParser::new(names.iter().copied()))
            .value_name("NAME"),
    };
    flag.default_value(default(spec.name))
}

/// The value that a parameter's flag has.
fn given(spec: &Spec, matches: &ArgMatches) -> Option<Value> {
    match spec.kind {
        Kind::Count { .. } => matches.get_one(spec.name).copied().map(Value::Count),
        Kind::Share { .. } => matches.get_one(spec.name).copied().map(Value::Share),
        Kind::Switch => Some(Value::Switch(matches.get_flag(spec.name))),
        Kind::Choice { names, .. } => {
            let given = matches.get_one::<String>(spec.name)?;
            let found = names.iter().find(|name| **name == *given);
            found.map(|name| Value::Choice(name))
        }
    }
}

/// Texts of a flag. clap keeps references to them.
struct Texts {
    /// Name without its dashes.
    long: String,
    help: String,
    default: String,
}

/// Texts of all flags, by the option's name in snake_case.
fn flags() -> &'static BTreeMap<String, Texts> {
    static FLAGS: LazyLock<BTreeMap<String, Texts>> = LazyLock::new(|| {
        let options = CacheOptions::catalogue().options.into_iter();
        let named = options.map(|option| {
            let OptionEntry {
                flag,
                about,
                default,
                read_by,
                ..
            } = option;
            let long = flag.trim_start_matches("--").to_owned();
            // clap's own texts have no full stop either.
            let mut help = about.trim_end_matches('.').to_owned();
            if !read_by.is_empty() {
                help += &format!(" ({})", read_by.join(", "));
            }
            let default = default.to_string();
            let texts = Texts {
                long,
                help,
                default,
            };
            (texts.long.replace('-', "_"), texts)
        });
        named.collect()
    });
    &FLAGS
}

fn long(name: &str) -> &'static str {
    flags().get(name).map_or("", |texts| &texts.long)
}

fn help(name: &str) -> &'static str {
    flags().get(name).map_or("", |texts| &texts.help)
}

fn default(name: &str) -> &'static str {
    flags().get(name).map_or("", |texts| &texts.default)
}

/// A number is slots; the library reads or refuses any other text.
fn budget(text: &str) -> Result<BudgetOption, Infallible> {
    let share = || BudgetOption::Share(text.to_owned());
    Ok(text.parse().map_or_else(|_| share(), BudgetOption::Slots))
}

/// One of `all`, by its name; an error lists them all.
fn one_of<T: Copy + Send + Sync + 'static>(
    all: &'static [T],
    value: fn(T) -> PossibleValue,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(all.iter().map(|one| value(*one))).try_map(move |text| {
        let named = all.iter().find(|one| value(**one).get_name() == text);
        named.copied().ok_or("no such name")
    })
}

/// A rule's name, with its sentence in the help.
fn described(name: &'static str, description: &Description) -> PossibleValue {
    PossibleValue::new(name).help(description.about)
}

impl CacheArguments {
    pub fn options(&self) -> CacheOptions {
        CacheOptions {
            cache_type: Some(apart(
                self.cache_type.into(),
                self.cache_type_k,
                self.cache_type_v,
            )),
            prefill: PrefillOptions {
                method: self.prefill_method,
                budget: Some(self.prefill_budget.clone()),
                observation_window: Some(self.observation_window),
                parameters: self.prefill.0.clone(),
            },
            decode: DecodeOptions {
                strategy: self.decode_strategy,
                budget: Some(self.decode_budget.clone()),
                recent: Some(self.recent),
                parameters: self.decode.0.clone(),
            },
        }
    }

    /// Checks everything that does not depend on the model, before one is loaded.
    pub fn check(&self) -> Result<(), Error> {
        // No option depends on a model's sizes.
        let config = self.options().apply(ScopeCacheConfig::new(1, 1, 1, 1));
        config
            .map(drop)
            .map_err(|error| CacheError::from(error).into())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    #[command(no_binary_name = true)]
    struct Command {
        #[command(flatten)]
        cache: CacheArguments,
    }

    fn options(arguments: &[&str]) -> CacheOptions {
        Command::try_parse_from(arguments).unwrap().cache.options()
    }

    #[test]
    fn flags_are_the_options_of_the_same_names() {
        let json = serde_json::json!({
            "cacheType": "f32",
            "prefill": { "method": "pyramidkv", "kernel": 9, "pooling": "avgpool", "pyramidBeta": 4 },
            "decode": { "strategy": "decayed-h2o", "decay": 0.5, "strictBudget": true },
        });
        let flags = [
            "--cache-type=f32",
            "--prefill-method=pyramidkv",
            "--kernel=9",
            "--pooling=avgpool",
            "--pyramid-beta=4",
            "--decode-strategy=decayed-h2o",
            "--decay=0.5",
            "--strict-budget",
        ];
        let config = ScopeCacheConfig::new(1, 1, 1, 1);
        let expected: CacheOptions = serde_json::from_value(json).unwrap();
        let expected = expected.apply(config.clone()).unwrap();
        assert_eq!(options(&flags).apply(config.clone()), Ok(expected));
        assert_eq!(options(&[]).apply(config.clone()), Ok(config));
    }

    #[test]
    fn every_option_has_a_flag_with_its_sentence_and_default() {
        use clap::CommandFactory;
        let command = Command::command();
        for option in CacheOptions::catalogue().options {
            let long = option.flag.trim_start_matches("--");
            let mut flags = command.get_arguments();
            let flag = flags.find(|flag| flag.get_long() == Some(long));
            let flag = flag.unwrap_or_else(|| panic!("no {}", option.flag));
            let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(
                help.starts_with(option.about.trim_end_matches('.')),
                "{help}"
            );
            if option.default != Value::Switch(false) {
                let default = flag.get_default_values().first().unwrap();
                assert_eq!(*default, *option.default.to_string(), "{long}");
            }
        }
    }
}
