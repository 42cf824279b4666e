//! The list of methods that an enum offers, each with the type that is its rule.

/// Declares an enum whose variants each stand for a rule: one line a method, with its name in files and its type.
macro_rules! rules {
    (
        $(#[$doc:meta])*
        pub enum $name:ident: $rule:ident {
            $($(#[$variant_doc:meta])* $variant:ident = $text:literal by $type:path,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
        #[non_exhaustive]
        pub enum $name {
            // Every list begins with `Full`, which drops nothing.
            #[default]
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)*
        }

        impl $name {
            /// All of them, in the order of the paper's tables.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in configurations.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            pub(super) fn rule(self) -> &'static dyn $rule {
                match self {
                    $(Self::$variant => &$type,)*
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
