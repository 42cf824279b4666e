//! Options: a policy as programs and people write it. Every field has a default, and budgets are
//! slots or a share.

use std::fmt;
use std::sync::LazyLock;

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};

use super::validate::MOST_TOKENS;
use super::{
    Budget, ConfigError, DecodeStrategy, Parameter, Parameters, Policy, PrefillMethod, Spec,
};

/// A budget's declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeclaredBudget {
    /// Name in snake_case.
    pub name: &'static str,
    /// Slots if none are given.
    pub default: usize,
    /// The tokens that a share is a share of.
    pub share_of: &'static str,
    /// One sentence for people.
    pub about: &'static str,
}

/// A = α1 + α2.
pub const PREFILL_BUDGET: DeclaredBudget = DeclaredBudget {
    name: "prefill_budget",
    default: 2048,
    share_of: "the prompt",
    about: "A = α1 + α2: slots per head for the prompt, or a share of the prompt such as 30%.",
};

/// B = β1 + β2.
pub const DECODE_BUDGET: DeclaredBudget = DeclaredBudget {
    name: "decode_budget",
    default: 512,
    share_of: "the expected new tokens",
    about: "B = β1 + β2: slots per head for the output, or a share of the expected new tokens \
            such as 25%.",
};

/// α2.
pub const OBSERVATION_WINDOW: Parameter<usize> = Parameter::count(
    "observation_window",
    8,
    [1, MOST_TOKENS],
    "α2: the last prompt positions, always kept, whose queries score the others.",
);

/// β2.
pub const RECENT: Parameter<usize> = Parameter::count(
    "recent",
    256,
    [0, MOST_TOKENS],
    "β2: the newest positions, always kept.",
);

/// T.
pub const MAX_NEW_TOKENS: Parameter<usize> = Parameter::count(
    "max_new_tokens",
    4096,
    [1, MOST_TOKENS],
    "T: tokens expected to be decoded; the adaptive strategies pace their budget by it.",
);

/// Growth of memory.
pub const BLOCK: Parameter<usize> = Parameter::count(
    "block",
    64,
    [1, MOST_TOKENS],
    "Slots by which memory grows.",
);

/// The prompt's part of a cache's rules. Defaults are [`Policy`]'s.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PrefillOptions {
    /// The method.
    pub method: PrefillMethod,
    /// A, in slots per head, or as a share of the prompt such as `30%`.
    pub budget: Option<BudgetOption>,
    /// α2: the last prompt positions, always kept.
    pub observation_window: Option<usize>,
    /// Parameters of methods. Those of other methods are allowed, and have no effect.
    pub parameters: Parameters,
}

/// The output's part of a cache's rules. Defaults are [`Policy`]'s.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DecodeOptions {
    /// The strategy.
    pub strategy: DecodeStrategy,
    /// B, in slots per head, or as a share of the expected new tokens such as `25%`.
    pub budget: Option<BudgetOption>,
    /// β2: the newest positions, always kept.
    pub recent: Option<usize>,
    /// Parameters of strategies. Those of other strategies are allowed, and have no effect.
    pub parameters: Parameters,
}

/// A budget: slots as a number, a share as text such as `30%`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum BudgetOption {
    /// Slots per head.
    Slots(usize),
    /// A share.
    Share(String),
}

impl PrefillOptions {
    /// Sets the prompt's part of `policy`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a budget that is none.
    pub fn apply(&self, policy: &mut Policy) -> Result<(), ConfigError> {
        policy.prefill = self.method;
        if let Some(window) = self.observation_window {
            policy.observation_window = window;
        }
        policy.parameters.extend(&self.parameters);
        if let Some(budget) = &self.budget {
            policy.prefill_budget = budget.resolve("prefill.budget", Budget::OfPrompt)?;
        }
        Ok(())
    }
}

impl DecodeOptions {
    /// Sets the output's part of `policy`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a budget that is none.
    pub fn apply(&self, policy: &mut Policy) -> Result<(), ConfigError> {
        policy.decode = self.strategy;
        if let Some(recent) = self.recent {
            policy.recent = recent;
        }
        policy.parameters.extend(&self.parameters);
        if let Some(budget) = &self.budget {
            policy.decode_budget = budget.resolve("decode.budget", Budget::OfExpected)?;
        }
        Ok(())
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

/// Implements reading and writing of an options struct: the fields named here, and `parameters`.
///
/// A struct of its own for serde would need a field per parameter. JavaScript objects are asked for
/// the listed names only. A name that is not listed is refused where the format tells of it.
macro_rules! options {
    ($name:ident of $rules:ident { $($field:ident: $json:literal,)* }) => {
        impl $name {
            /// Names of all fields.
            fn fields() -> &'static [&'static str] {
                static FIELDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
                    let parameters = $rules::all_parameters().into_iter();
                    [$($json),*].into_iter().chain(parameters.map(Spec::json)).collect()
                });
                &FIELDS
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Fields;

                impl<'de> Visitor<'de> for Fields {
                    type Value = $name;

                    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                        formatter.write_str(concat!("struct ", stringify!($name)))
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let mut options = $name::default();
                        while let Some(name) = map.next_key::<String>()? {
                            match name.as_str() {
                                $($json => options.$field = map.next_value()?,)*
                                _ => {
                                    let specs = $rules::all_parameters();
                                    let spec = specs.into_iter().find(|spec| spec.json() == name);
                                    let Some(spec) = spec else {
                                        let fields = $name::fields();
                                        return Err(A::Error::unknown_field(&name, fields));
                                    };
                                    if let Some(value) = map.next_value_seed(spec)? {
                                        options.parameters.insert(spec, value);
                                    }
                                }
                            }
                        }
                        Ok(options)
                    }
                }

                from.deserialize_struct(stringify!($name), Self::fields(), Fields)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let fields = Self::fields().len();
                let mut options = serializer.serialize_struct(stringify!($name), fields)?;
                $(options.serialize_field($json, &self.$field)?;)*
                for spec in $rules::all_parameters() {
                    options.serialize_field(spec.json(), &self.parameters.given(spec))?;
                }
                options.end()
            }
        }
    };
}

options!(PrefillOptions of PrefillMethod {
    method: "method",
    budget: "budget",
    observation_window: "observationWindow",
});

options!(DecodeOptions of DecodeStrategy {
    strategy: "strategy",
    budget: "budget",
    recent: "recent",
});

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::prefill::snapkv::{KERNEL, POOLING};
    use super::super::{Pooling, Value};
    use super::*;

    fn prefill(json: serde_json::Value) -> Result<PrefillOptions, String> {
        serde_json::from_value(json).map_err(|error| error.to_string())
    }

    #[test]
    fn parameters_lie_flat_beside_the_others() {
        let json = json!({ "method": "snapkv", "kernel": 9, "pooling": "avgpool" });
        let options = prefill(json).unwrap();
        assert_eq!(options.method, PrefillMethod::SnapKv);
        assert_eq!(options.parameters.get(&KERNEL), 9);
        assert_eq!(options.parameters.get(&POOLING), Pooling::AvgPool);
        let json = json!({ "strategy": "adaptive", "strictBudget": true, "decay": 0.5 });
        let options: DecodeOptions = serde_json::from_value(json).unwrap();
        let mut policy = Policy::default();
        options.apply(&mut policy).unwrap();
        let json = serde_json::to_value(&policy).unwrap();
        assert_eq!(
            (&json["strict_budget"], &json["decay"]),
            (&json!(true), &json!(0.5))
        );
    }

    #[test]
    fn options_are_read_as_they_are_written() {
        let options = prefill(json!({ "method": "h2o", "budget": "30%", "kernel": 7 })).unwrap();
        assert_eq!(
            prefill(serde_json::to_value(&options).unwrap()),
            Ok(options)
        );
    }

    #[test]
    fn only_given_parameters_replace_those_of_a_policy() {
        let mut policy = Policy::default();
        policy.parameters.set(&KERNEL, 3);
        prefill(json!({ "kernel": null }))
            .unwrap()
            .apply(&mut policy)
            .unwrap();
        assert_eq!(policy.parameters.get(&KERNEL), 3);
        prefill(json!({ "kernel": 7 }))
            .unwrap()
            .apply(&mut policy)
            .unwrap();
        assert_eq!(policy, Policy::default());
    }

    #[test]
    fn unknown_names_and_values_are_refused_with_those_that_are_known() {
        let refused = prefill(json!({ "kernels": 7 })).unwrap_err();
        assert!(
            refused.contains("kernels") && refused.contains("`kernel`"),
            "{refused}"
        );
        let refused = prefill(json!({ "pooling": "minpool" })).unwrap_err();
        assert!(
            refused.contains("maxpool") && refused.contains("avgpool"),
            "{refused}"
        );
        let refused = prefill(json!({ "kernel": "wide" })).unwrap_err();
        assert!(refused.contains("wide"), "{refused}");
    }

    #[test]
    fn defaults_are_in_range_and_names_are_declared_once() {
        let policy = Policy::default();
        assert_eq!(policy.validate(), Ok(()));
        let specs = [PrefillMethod::PARAMETERS, DecodeStrategy::PARAMETERS];
        let mut known: Vec<&Spec> = Vec::new();
        for spec in specs.into_iter().flatten().copied().flatten() {
            let same = known.iter().find(|known| known.name == spec.name);
            assert!(
                same.is_none_or(|same| same.about == spec.about),
                "{}",
                spec.name
            );
            known.push(spec);
            if let Value::Choice(name) = spec.default_value() {
                assert!(!name.is_empty());
            }
        }
    }
}
