//! Declarations of sampling options. The list of [`SamplingConfig`] has one entry per option.
//!
//! An entry gives the field with its JSON and its validation, and the command's flag. It also gives
//! the field of the package's requests, the drawing kernel's setting, and the documents' rows.

use std::fmt::{self, Write as _};

use super::{GenerateError, SamplingConfig};
use crate::policy::Declarations;

/// Declaration of a sampling option.
#[derive(Debug, Clone, Copy)]
pub struct SamplingOption {
    /// Name of the field, in snake_case.
    pub name: &'static str,
    /// The field's documentation.
    pub about: &'static str,
    /// Help of the command's flag.
    pub help: &'static str,
    /// Allowed values.
    pub range: Range,
    /// `true` if the package's requests have the option.
    pub in_requests: bool,
    pub(super) get: fn(&SamplingConfig) -> SamplingValue,
    pub(super) set: fn(&mut SamplingConfig, &str) -> Result<(), String>,
}

/// Value of a sampling option.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SamplingValue {
    /// A number.
    Number(f32),
    /// A number of tokens.
    Tokens(usize),
    /// A seed, which only the host reads.
    Seed(u64),
}

/// Allowed values of a sampling option.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Range {
    /// All finite values.
    Any,
    /// From the first number to the second.
    Within(f32, f32),
    /// Above the first number, at most the second.
    Above(f32, f32),
}

/// TypeScript of `SamplingNumbers`: the options that the package's requests have.
pub const TYPESCRIPT: &str = TEXT.as_str();

const TEXT: &Declarations = &request_fields();

const fn request_fields() -> Declarations {
    let mut text = Declarations::new();
    text.open(
        "SamplingNumbers",
        "Numbers of a request by which tokens are chosen.",
    );
    let mut at = 0;
    while at < SamplingConfig::OPTIONS.len() {
        let option = &SamplingConfig::OPTIONS[at];
        if option.in_requests {
            text.field(option.name, "number | null", option.about);
        }
        at += 1;
    }
    text.push("}\n");
    text
}

impl SamplingOption {
    /// Name of the command's flag, without its dashes: kebab-case.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Value if none is given.
    pub fn default_value(&self) -> SamplingValue {
        SamplingConfig::default().value(self)
    }

    /// The allowed values in words.
    fn values(&self) -> String {
        match (self.default_value(), self.range) {
            (SamplingValue::Number(_), range) => range.to_string(),
            (_, Range::Any) => "a whole number".to_owned(),
            (_, range) => format!("a whole number {range}"),
        }
    }
}

impl SamplingConfig {
    /// The value of `option`.
    pub fn value(&self, option: &SamplingOption) -> SamplingValue {
        (option.get)(self)
    }

    /// Sets `option` to the value that `text` is.
    ///
    /// # Errors
    ///
    /// The reason that `text` is no value of the option's type. Its range is left to
    /// [`validate`](Self::validate).
    pub fn set(&mut self, option: &SamplingOption, text: &str) -> Result<(), String> {
        (option.set)(self, text)
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// [`GenerateError::Config`] names the first invalid field, its value and the allowed ones.
    pub fn validate(&self) -> Result<(), GenerateError> {
        for option in Self::OPTIONS {
            let (value, range) = (self.value(option), option.range);
            if !range.has(value) {
                let allowed = range.to_string();
                return Err(GenerateError::config(option.name, value, allowed));
            }
        }
        Ok(())
    }

    /// Tables of the command's flags and of the package's fields in Markdown, each with the name of
    /// its section.
    pub fn tables() -> [(&'static str, String); 2] {
        let mut flags = "| option | default | values | meaning |\n".to_owned();
        flags += "| --- | --- | --- | --- |\n";
        let mut fields = "| Field | Values | Meaning |\n| --- | --- | --- |\n".to_owned();
        for option in Self::OPTIONS {
            let SamplingOption { name, about, .. } = option;
            let (flag, default, values) = (option.flag(), option.default_value(), option.values());
            // Writing to a string can't fail.
            let _ = writeln!(flags, "| `--{flag}` | `{default}` | {values} | {about} |");
            if option.in_requests {
                let _ = writeln!(fields, "| `{name}` | {values} | {about} |");
            }
        }
        [("sampling-options", flags), ("sampling-fields", fields)]
    }
}

impl Range {
    fn has(self, value: SamplingValue) -> bool {
        let number = match value {
            SamplingValue::Number(number) => f64::from(number),
            SamplingValue::Tokens(tokens) => tokens as f64,
            SamplingValue::Seed(seed) => seed as f64,
        };
        match self {
            Self::Any => number.is_finite(),
            Self::Within(least, most) => (f64::from(least)..=f64::from(most)).contains(&number),
            Self::Above(bound, most) => number > f64::from(bound) && number <= f64::from(most),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str("finite"),
            Self::Within(least, most) => write!(formatter, "from {least} to {most}"),
            Self::Above(bound, most) => write!(formatter, "above {bound} and at most {most}"),
        }
    }
}

impl fmt::Display for SamplingValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(value) => value.fmt(formatter),
            Self::Tokens(value) => value.fmt(formatter),
            Self::Seed(value) => value.fmt(formatter),
        }
    }
}

impl From<f32> for SamplingValue {
    fn from(value: f32) -> Self {
        Self::Number(value)
    }
}

impl From<usize> for SamplingValue {
    fn from(value: usize) -> Self {
        Self::Tokens(value)
    }
}

impl From<u64> for SamplingValue {
    fn from(value: u64) -> Self {
        Self::Seed(value)
    }
}

/// Declares a configuration of sampling options, one entry per option.
///
/// An entry is `name / setter: type = default`, and fields of its [`SamplingOption`].
macro_rules! sampling_options {
    (
        $(#[$attribute:meta])*
        pub struct $config:ident {
            $(
                $(#[doc = $doc:tt])*
                $name:ident / $setter:ident: $type:ty = $default:literal {
                    $($field:ident: $value:expr,)*
                }
            )*
        }
    ) => {
        $(#[$attribute])*
        pub struct $config {
            $(
                $(#[doc = $doc])*
                #[cfg_attr(target_family = "wasm", tsify(optional))]
                pub $name: $type,
            )*
        }

        impl Default for $config {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl $config {
            /// All options, in the order of the fields.
            pub const OPTIONS: &'static [SamplingOption] = &[$(
                SamplingOption {
                    name: stringify!($name),
                    about: concat!($($doc),*).trim_ascii(),
                    $($field: $value,)*
                    get: |config| config.$name.into(),
                    set: |config, text| {
                        let value = text.parse::<$type>();
                        config.$name = value.map_err(|error| error.to_string())?;
                        Ok(())
                    },
                },
            )*];

            setters! {$(
                #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), ").")]
                $setter: $name, $type;
            )*}
        }
    };
}
pub(super) use sampling_options;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_told_in_words_and_its_default_is_allowed() {
        assert_eq!(SamplingConfig::default().validate(), Ok(()));
        for option in SamplingConfig::OPTIONS {
            let SamplingOption {
                name, about, help, ..
            } = option;
            assert!(about.ends_with('.') && !about.starts_with(' '), "{about}");
            assert!(!help.is_empty() && !help.ends_with('.'), "{help}");
            let default = option.default_value().to_string();
            let mut config = SamplingConfig::default();
            config.set(option, &default).unwrap();
            assert_eq!(config, SamplingConfig::default(), "{name}");
        }
    }

    #[test]
    fn an_option_is_set_by_text_and_checked_by_its_range() {
        let option = |name: &str| {
            let mut all = SamplingConfig::OPTIONS.iter();
            all.find(|option| option.name == name).unwrap()
        };
        let mut config = SamplingConfig::default();
        config.set(option("top_k"), "40").unwrap();
        config.set(option("min_p"), "0.25").unwrap();
        config.set(option("seed"), "18446744073709551615").unwrap();
        let expected = SamplingConfig::default().with_top_k(40).with_min_p(0.25);
        assert_eq!(config, expected.with_seed(u64::MAX));
        assert_eq!(config.validate(), Ok(()));
        assert!(config.set(option("top_k"), "4.5").is_err());
        let number = |it: f32| SamplingValue::Number(it);
        for (range, inside, outside) in [
            (Range::Within(0.0, 1.0), [0.0, 1.0], [-0.1, f32::NAN]),
            (Range::Above(0.0, 1.0), [0.1, 1.0], [0.0, 1.1]),
            (Range::Any, [-1.0, 1e30], [f32::INFINITY, f32::NAN]),
        ] {
            assert!(inside.iter().all(|it| range.has(number(*it))), "{range}");
            assert!(!outside.iter().any(|it| range.has(number(*it))), "{range}");
        }
    }

    #[test]
    fn requests_and_tables_have_the_options() {
        let [(_, flags), (_, fields)] = SamplingConfig::tables();
        for option in SamplingConfig::OPTIONS {
            let (name, about) = (option.name, option.about);
            let (row, field) = (format!("| `{name}` |"), format!("{name}?: number | null;"));
            assert_eq!(TYPESCRIPT.contains(&field), option.in_requests, "{field}");
            assert_eq!(fields.contains(&row), option.in_requests, "{row}");
            assert_eq!(TYPESCRIPT.contains(about), option.in_requests, "{about}");
            assert!(flags.contains(&format!("| `--{}` |", option.flag())));
        }
    }
}
