//! The lists of prefill methods and decode strategies: one line per rule.

use serde::Serialize;

use super::parameter::Spec;

/// Declarations of a rule's file beside its arithmetic.
pub(super) trait Declared {
    /// The rule in words.
    const DESCRIPTION: Description;
    /// The parameters that the rule reads.
    const PARAMETERS: &'static [&'static Spec] = &[];
}

/// A rule in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    /// Name as its authors write it.
    pub label: &'static str,
    /// One sentence for people.
    pub about: &'static str,
    /// Publication.
    pub source: &'static str,
    /// Rules of the same kind.
    pub family: Family,
    /// Condition under which the rule drops slots, in the paper's letters.
    pub acts: &'static str,
    /// Slots that stay then, beside the window or the recent positions.
    pub keeps: &'static str,
}

/// Kinds of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
#[non_exhaustive]
pub enum Family {
    /// Drops nothing.
    Full,
    /// Compresses the prompt.
    Prompt,
    /// SCOPE's decode strategies: never evict prompt positions.
    Scope,
    /// Strategies of others, for prompt and output alike.
    Unified,
    /// Strategies of this project.
    Own,
}

impl Family {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Full,
        Self::Prompt,
        Self::Scope,
        Self::Unified,
        Self::Own,
    ];

    /// One sentence for people.
    pub fn about(self) -> &'static str {
        match self {
            Self::Full => "Nothing is evicted.",
            Self::Prompt => "The prompt is compressed once.",
            Self::Scope => "SCOPE: the output has a budget of its own.",
            Self::Unified => "Unified: prompt and output share the same slots.",
            Self::Own => "Not the paper's.",
        }
    }
}

/// Declares an enum whose variants stand for rules.
///
/// A line `snapkv::SnapKv = "snapkv"` declares the module `snapkv`, whose type `SnapKv` is the
/// rule, and its name in configurations. Lines after `and` wrap a listed rule: `Name = "name" by
/// Wrapper<module::Rule>`.
macro_rules! rules {
    (
        $(#[$doc:meta])*
        pub enum $name:ident: $rule:ident {
            $($module:ident::$variant:ident = $text:literal,)*
        }
        $(and {
            $($wrapped:ident = $wrapped_text:literal
                by $wrapper:ident<$inner_module:ident::$inner:ident>,)*
        })?
    ) => {
        $(pub mod $module;)*

        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
        #[non_exhaustive]
        pub enum $name {
            // Every list begins with `full`, which drops nothing.
            #[default]
            $(
                #[doc = concat!("`", $text, "`: see [`", stringify!($module), "`].")]
                #[serde(rename = $text)]
                $variant,
            )*
            $($(
                #[doc = concat!("`", $wrapped_text, "`: `", stringify!($wrapper), "` around `",
                    stringify!($inner), "`.")]
                #[serde(rename = $wrapped_text)]
                $wrapped,
            )*)?
        }

        impl $name {
            /// All of them, in the order of the tables.
            pub const ALL: &'static [Self] = &[
                $(Self::$variant,)*
                $($(Self::$wrapped,)*)?
            ];

            /// The parameters that each reads, in the order of [`ALL`](Self::ALL).
            pub(in crate::policy) const PARAMETERS: &'static [&'static [&'static Spec]] = &[
                $(<$module::$variant as Declared>::PARAMETERS,)*
                $($(<$wrapper<$inner_module::$inner> as Declared>::PARAMETERS,)*)?
            ];

            /// Name in configurations.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                    $($(Self::$wrapped => $wrapped_text,)*)?
                }
            }

            /// The one of that name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }

            /// It in words.
            pub fn description(self) -> &'static Description {
                match self {
                    $(Self::$variant => &<$module::$variant as Declared>::DESCRIPTION,)*
                    $($(Self::$wrapped =>
                        &<$wrapper<$inner_module::$inner> as Declared>::DESCRIPTION,)*)?
                }
            }

            /// The parameters that it reads.
            pub fn parameters(self) -> &'static [&'static Spec] {
                match self {
                    $(Self::$variant => <$module::$variant as Declared>::PARAMETERS,)*
                    $($(Self::$wrapped =>
                        <$wrapper<$inner_module::$inner> as Declared>::PARAMETERS,)*)?
                }
            }

            /// The parameters of all of them, each once.
            pub fn all_parameters() -> Vec<&'static Spec> {
                let mut all: Vec<&'static Spec> = Vec::new();
                for spec in Self::PARAMETERS.iter().copied().flatten() {
                    if all.iter().all(|known| known.name != spec.name) {
                        all.push(spec);
                    }
                }
                all
            }

            pub(in crate::policy) fn rule(self) -> &'static dyn $rule {
                match self {
                    $(Self::$variant => &$module::$variant,)*
                    $($(Self::$wrapped => &$wrapper($inner_module::$inner),)*)?
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.name())
            }
        }
    };
}
pub(super) use rules;
