//! A cache's options, as programs and people write them: the policy's, and the storage type.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::{CacheType, CacheTypes, ConfigError, DecodeOptions, PrefillOptions, ScopeCacheConfig};
use crate::policy::{Catalogue, Choice, Parameter, StorageEntry};

/// Elements of the row by which types are compared: every type has such rows.
const COMPARED_DIM: usize = 128;

/// Type in which keys and values are stored.
pub const CACHE_TYPE: Parameter<CacheType> =
    Parameter::choice("cache_type", "Type in which keys and values are stored.");

impl Choice for CacheType {
    // The inherent constants of the list of types.
    const ALL: &'static [Self] = Self::ALL;
    const NAMES: &'static [&'static str] = Self::NAMES;
    const TYPE_NAME: &'static str = "CacheType";
}

/// Rules of a cache for the prompt and for the output, and its type. Everything is kept, in f16, by
/// default.
///
/// ```
/// use kvscope::cache::{CacheOptions, ScopeCacheConfig};
///
/// let options: CacheOptions = serde_json::from_str(
///     r#"{
///         "prefill": {"method": "snapkv", "budget": "30%"},
///         "decode": {"strategy": "slide", "budget": 512}
///     }"#,
/// )?;
/// let config = options.apply(ScopeCacheConfig::new(30, 9, 3, 64))?;
/// # assert_eq!(config.prefill_budget, kvscope::cache::Budget::OfPrompt(0.3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct CacheOptions {
    /// Type in which keys and values are stored, or one of each; f16 by default.
    #[cfg_attr(
        target_family = "wasm",
        tsify(
            optional,
            type = "CacheType | { keys?: CacheType; values?: CacheType }"
        )
    )]
    #[serde(deserialize_with = "cache_type")]
    pub cache_type: Option<CacheTypes>,
    /// Rules for the prompt; all of it is kept by default.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub prefill: PrefillOptions,
    /// Rules for the output; all of it is kept by default.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub decode: DecodeOptions,
}

/// Reads the storage types; an error names the field.
fn cache_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<CacheTypes>, D::Error> {
    let named = |error: D::Error| D::Error::custom(format_args!("`cacheType`: {error}"));
    Option::deserialize(deserializer).map_err(named)
}

impl CacheOptions {
    /// `config` with these rules in place of its own.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a budget that is none, or from [`ScopeCacheConfig::validate`].
    pub fn apply(&self, mut config: ScopeCacheConfig) -> Result<ScopeCacheConfig, ConfigError> {
        if let Some(cache_type) = self.cache_type {
            config.cache_type = cache_type;
        }
        self.prefill.apply(&mut config.policy)?;
        self.decode.apply(&mut config.policy)?;
        config.validate()?;
        Ok(config)
    }

    /// Everything that the options can say.
    pub fn catalogue() -> Catalogue {
        let storage = CacheType::ALL.iter().map(|cache_type| StorageEntry {
            name: cache_type.name(),
            about: cache_type.sentence(),
            bits_per_element: (8 * cache_type.row_bytes(COMPARED_DIM)) as f32 / COMPARED_DIM as f32,
        });
        Catalogue::new(&[&CACHE_TYPE.spec], storage.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Budget, BudgetOption};
    use super::*;

    fn options(json: &str) -> CacheOptions {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn no_options_are_a_full_cache() {
        let base = ScopeCacheConfig::new(2, 4, 2, 64);
        assert_eq!(options("{}").apply(base.clone()), Ok(base));
    }

    #[test]
    fn shares_are_of_the_prompt_and_of_the_expected_tokens() {
        let options = options(
            r#"{"prefill": {"method": "snapkv", "budget": "50%"},
                "decode": {"strategy": "adaptive", "budget": "12.5 %", "recent": 16}}"#,
        );
        let config = options.apply(ScopeCacheConfig::new(2, 4, 2, 64)).unwrap();
        assert_eq!(config.prefill_budget, Budget::OfPrompt(0.5));
        assert_eq!(config.decode_budget, Budget::OfExpected(0.125));
        assert_eq!(config.recent, 16);
    }

    #[test]
    fn a_text_that_is_no_budget_is_refused_with_its_field() {
        for text in ["", "%", "thirty", "0%", "101%", "-1%", "NaN%", "30"] {
            let options = CacheOptions {
                decode: DecodeOptions {
                    budget: Some(BudgetOption::Share(text.to_owned())),
                    ..DecodeOptions::default()
                },
                ..CacheOptions::default()
            };
            let refused = options.apply(ScopeCacheConfig::new(2, 4, 2, 64));
            let message = refused.unwrap_err().to_string();
            assert!(message.contains("decode.budget"), "{message}");
        }
    }

    #[test]
    fn types_that_are_none_are_refused_with_their_field() {
        for (json, named) in [
            (
                r#"{"cacheType": "q9"}"#,
                "`cacheType`: unknown variant `q9`",
            ),
            (r#"{"cacheType": {"keys": "q9"}}"#, "`cacheType`: `keys`: "),
            (
                r#"{"cacheType": {"kyes": "h8"}}"#,
                "`cacheType`: unknown field",
            ),
        ] {
            let refused = serde_json::from_str::<CacheOptions>(json);
            let message = refused.unwrap_err().to_string();
            assert!(message.contains(named), "{message}");
        }
        let none: CacheOptions = serde_json::from_str(r#"{"cacheType": null}"#).unwrap();
        assert_eq!(none.cache_type, None);
    }

    #[test]
    fn the_catalogue_has_the_storage_type_as_the_options_name_it() {
        let catalogue = CacheOptions::catalogue();
        let last = catalogue.options.last().unwrap();
        assert_eq!(
            (last.path.as_str(), last.flag.as_str()),
            ("cacheType", "--cache-type")
        );
        for (value, name) in CacheType::ALL.iter().zip(CacheType::NAMES) {
            assert_eq!(serde_json::to_value(value).unwrap(), *name);
        }
        assert_eq!(last.choices, CacheType::NAMES);
    }

    #[test]
    fn the_catalogue_has_every_storage_type_with_its_size() {
        let storage = CacheOptions::catalogue().storage;
        let bits = |name: &str| storage.iter().find(|entry| entry.name == name);
        let bits = |name| bits(name).map(|entry| entry.bits_per_element);
        assert_eq!((bits("f16"), bits("f32")), (Some(16.0), Some(32.0)));
        let names: Vec<&str> = storage.iter().map(|entry| entry.name).collect();
        assert_eq!(names, CacheType::NAMES);
        assert!(storage.iter().all(|entry| entry.about.ends_with('.')));
    }
}
