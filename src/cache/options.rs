//! A cache's rules as programs and people write them: every field has a default, budgets are slots or a share.

use serde::{Deserialize, Serialize};

use super::{
    Budget, CacheType, ConfigError, DecodeStrategy, Pooling, PrefillMethod, ScopeCacheConfig,
};

/// What is kept of the prompt, what of what decoding adds, and in which type.
///
/// ```
/// use kvscope::cache::{CacheOptions, ScopeCacheConfig};
///
/// let options: CacheOptions = serde_json::from_str(
///     r#"{"prefill": {"method": "snapkv", "budget": "30%"}, "decode": {"strategy": "slide", "budget": 512}}"#,
/// )?;
/// let config = options.apply(ScopeCacheConfig::new(30, 9, 3, 64))?;
/// # assert_eq!(config.prefill_budget, kvscope::cache::Budget::OfPrompt(0.3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct CacheOptions {
    /// The type in which keys and values are kept; f16 if nothing is said.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub cache_type: Option<CacheType>,
    /// What is kept of the prompt; everything, if nothing is said.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub prefill: PrefillOptions,
    /// What is kept of what decoding adds; everything, if nothing is said.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub decode: DecodeOptions,
}

/// What is kept of the prompt. Defaults are [`ScopeCacheConfig::new`]'s.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct PrefillOptions {
    /// The method.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub method: PrefillMethod,
    /// A, in slots a head, or as a share of the prompt such as `30%`.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub budget: Option<BudgetOption>,
    /// α2: the last prompt positions, always kept.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub observation_window: Option<usize>,
    /// How SnapKV smooths attention.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub pooling: Option<Pooling>,
    /// Positions under the pooling kernel, an odd number.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub kernel: Option<usize>,
}

/// What is kept of what decoding adds. Defaults are [`ScopeCacheConfig::new`]'s.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct DecodeOptions {
    /// The strategy.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub strategy: DecodeStrategy,
    /// B, in slots a head, or as a share of the new tokens that are expected, such as `25%`.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub budget: Option<BudgetOption>,
    /// β2: the newest positions, always kept.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub recent: Option<usize>,
    /// What a step's attention counts at the next one in `decayed-slide` and `decayed-h2o`, from 0 to 1.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub decay: Option<f32>,
    /// Keeps `adaptive` and `discontinuous` within the budget, where their published code passes it.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub strict_budget: Option<bool>,
}

/// A budget: slots as a number, a share as text such as `30%`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum BudgetOption {
    /// So many slots a head.
    Slots(usize),
    /// This share.
    Share(String),
}

impl CacheOptions {
    /// `config` with these rules in place of its own.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a budget that is none, or with what [`ScopeCacheConfig::validate`] finds.
    pub fn apply(&self, mut config: ScopeCacheConfig) -> Result<ScopeCacheConfig, ConfigError> {
        let (prefill, decode) = (&self.prefill, &self.decode);
        config.prefill = prefill.method;
        config.decode = decode.strategy;
        set(&mut config.cache_type, self.cache_type);
        set(&mut config.observation_window, prefill.observation_window);
        set(&mut config.pooling, prefill.pooling);
        set(&mut config.kernel, prefill.kernel);
        set(&mut config.recent, decode.recent);
        set(&mut config.strict_budget, decode.strict_budget);
        set(&mut config.decay, decode.decay);
        if let Some(budget) = &prefill.budget {
            config.prefill_budget = budget.resolve("prefill.budget", Budget::OfPrompt)?;
        }
        if let Some(budget) = &decode.budget {
            config.decode_budget = budget.resolve("decode.budget", Budget::OfExpected)?;
        }
        config.validate()?;
        Ok(config)
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

impl BudgetOption {
    fn resolve(
        &self,
        field: &'static str,
        share: impl Fn(f32) -> Budget,
    ) -> Result<Budget, ConfigError> {
        match self {
            Self::Slots(slots) => Ok(Budget::Slots(*slots)),
            Self::Share(text) => {
                let percent = text.trim().strip_suffix('%').map(str::trim);
                let percent = percent.and_then(|number| number.parse::<f32>().ok());
                let percent = percent.filter(|percent| *percent > 0.0 && *percent <= 100.0);
                let allowed = "a number of slots, or a share such as 30%";
                percent
                    .map(|percent| share(percent / 100.0))
                    .ok_or_else(|| ConfigError::new(field, crate::quoted::quoted(text), allowed))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(json: &str) -> CacheOptions {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn nothing_said_is_a_full_cache() {
        let base = ScopeCacheConfig::new(2, 4, 2, 64);
        assert_eq!(options("{}").apply(base.clone()), Ok(base));
    }

    #[test]
    fn shares_are_of_the_prompt_and_of_what_is_expected() {
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
    fn what_is_no_budget_is_named() {
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
}
