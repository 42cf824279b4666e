//! Parameters: the numbers, switches and choices that users set, each declared once.
//!
//! A declaration is a [`Parameter`] constant: name, default, range, and a sentence for people. It
//! gives the options' JSON and TypeScript types, the command's flags and help, validation, saved
//! caches and tables in `docs`.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};

use super::ConfigError;

/// A declared parameter whose values are of type `T`.
#[derive(Debug, Clone, Copy)]
pub struct Parameter<T> {
    /// The declaration.
    pub spec: Spec,
    values: PhantomData<T>,
}

/// A parameter's declaration, whatever the type of its values.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Name in snake_case, as in saved caches.
    pub name: &'static str,
    json: CamelCase,
    /// Default and range.
    pub kind: Kind,
    /// One sentence for people.
    pub about: &'static str,
}

/// Default and range of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A whole number.
    Count {
        /// Value if none is given.
        default: usize,
        /// Smallest value.
        least: usize,
        /// Largest value.
        most: usize,
        /// Only odd numbers are allowed.
        odd: bool,
    },
    /// A number from 0 to 1.
    Share {
        /// Value if none is given.
        default: f32,
    },
    /// On or off; off if none is given.
    Switch,
    /// One of several names; the first if none is given.
    Choice {
        /// All names.
        names: &'static [&'static str],
        /// Name of their type in TypeScript.
        type_name: &'static str,
    },
}

/// A value of any parameter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum Value {
    /// Of [`Kind::Count`].
    Count(usize),
    /// Of [`Kind::Share`].
    Share(f32),
    /// Of [`Kind::Switch`].
    Switch(bool),
    /// Of [`Kind::Choice`].
    Choice(&'static str),
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(value) => value.fmt(formatter),
            Self::Share(value) => value.fmt(formatter),
            Self::Switch(value) => value.fmt(formatter),
            Self::Choice(value) => value.fmt(formatter),
        }
    }
}

/// A type of values that parameters have.
pub trait Setting: Copy + Default {
    /// The value for a list of parameters.
    fn into_value(self) -> Value;

    /// The value from such a list; `None` if it is of another type.
    fn from_value(value: Value) -> Option<Self>;
}

/// Implements [`Setting`] for types that a variant of [`Value`] holds as they are.
macro_rules! plain_settings {
    ($($type:ty => $variant:ident),*) => {$(
        impl Setting for $type {
            fn into_value(self) -> Value {
                Value::$variant(self)
            }

            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::$variant(value) => Some(value),
                    _ => None,
                }
            }
        }
    )*};
}

plain_settings!(usize => Count, f32 => Share, bool => Switch);

/// An enum whose variants users choose by name. The first is the default.
pub trait Choice: Copy + Default + PartialEq + 'static {
    /// All variants.
    const ALL: &'static [Self];
    /// Their names, in the same order.
    const NAMES: &'static [&'static str];
    /// The type's name in TypeScript.
    const TYPE_NAME: &'static str;

    /// The variant's name.
    fn name(self) -> &'static str {
        let mut all = Self::ALL.iter().zip(Self::NAMES);
        all.find(|(value, _)| **value == self)
            .map_or("", |(_, name)| name)
    }

    /// The variant of that name.
    fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().zip(Self::NAMES);
        all.find(|(_, known)| **known == name)
            .map(|(value, _)| *value)
    }
}

impl<T: Choice> Setting for T {
    fn into_value(self) -> Value {
        Value::Choice(self.name())
    }

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Choice(name) => Self::named(name),
            _ => None,
        }
    }
}

impl<T> Parameter<T> {
    const fn new(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self {
            spec: Spec {
                name,
                json: CamelCase::of(name),
                kind,
                about,
            },
            values: PhantomData,
        }
    }
}

impl Parameter<usize> {
    /// A whole number from `least` to `most`.
    pub const fn count(
        name: &'static str,
        default: usize,
        [least, most]: [usize; 2],
        about: &'static str,
    ) -> Self {
        let kind = Kind::Count {
            default,
            least,
            most,
            odd: false,
        };
        Self::new(name, kind, about)
    }

    /// An odd number from `least` to `most`.
    pub const fn odd(
        name: &'static str,
        default: usize,
        [least, most]: [usize; 2],
        about: &'static str,
    ) -> Self {
        let kind = Kind::Count {
            default,
            least,
            most,
            odd: true,
        };
        Self::new(name, kind, about)
    }
}

impl Parameter<f32> {
    /// A number from 0 to 1.
    pub const fn share(name: &'static str, default: f32, about: &'static str) -> Self {
        Self::new(name, Kind::Share { default }, about)
    }
}

impl Parameter<bool> {
    /// A switch, off by default.
    pub const fn switch(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Switch, about)
    }
}

impl<T: Choice> Parameter<T> {
    /// One of the type's variants.
    pub const fn choice(name: &'static str, about: &'static str) -> Self {
        let kind = Kind::Choice {
            names: T::NAMES,
            type_name: T::TYPE_NAME,
        };
        Self::new(name, kind, about)
    }
}

impl<T: Setting> Parameter<T> {
    /// Value if none is given.
    pub fn default_value(&self) -> T {
        T::from_value(self.spec.default_value()).unwrap_or_default()
    }
}

impl Spec {
    /// Name in the options' JSON: camelCase.
    pub const fn json(&self) -> &str {
        self.json.as_str()
    }

    /// Name of the command's flag, without its dashes: kebab-case.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Value if none is given.
    pub fn default_value(&self) -> Value {
        match self.kind {
            Kind::Count { default, .. } => Value::Count(default),
            Kind::Share { default } => Value::Share(default),
            Kind::Switch => Value::Switch(false),
            Kind::Choice { names, .. } => Value::Choice(names.first().copied().unwrap_or_default()),
        }
    }

    /// Checks that `value` is in the range.
    pub(super) fn check(&self, value: Value) -> Result<(), ConfigError> {
        let refused = |allowed: String| Err(ConfigError::new(self.name, value, allowed));
        match (self.kind, value) {
            (Kind::Count { least, most, .. }, Value::Count(count))
                if !(least..=most).contains(&count) =>
            {
                refused(format!("from {least} to {most}"))
            }
            (Kind::Count { odd: true, .. }, Value::Count(count)) if count.is_multiple_of(2) => {
                refused("odd".to_owned())
            }
            (Kind::Share { .. }, Value::Share(share)) if !(0.0..=1.0).contains(&share) => {
                refused("from 0 to 1".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The TypeScript type of its values.
    pub(super) const fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Count { .. } | Kind::Share { .. } => "number",
            Kind::Switch => "boolean",
            Kind::Choice { type_name, .. } => type_name,
        }
    }
}

/// Reads a value of the parameter; `None` for null and undefined.
impl<'de> DeserializeSeed<'de> for &Spec {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Option<Value>, D::Error> {
        Ok(match self.kind {
            Kind::Count { .. } => Option::deserialize(from)?.map(Value::Count),
            Kind::Share { .. } => Option::deserialize(from)?.map(Value::Share),
            Kind::Switch => Option::deserialize(from)?.map(Value::Switch),
            Kind::Choice { names, .. } => match Option::<String>::deserialize(from)? {
                None => None,
                Some(given) => {
                    let found = names.iter().find(|name| **name == given);
                    let unknown = || D::Error::unknown_variant(&given, names);
                    Some(Value::Choice(found.ok_or_else(unknown)?))
                }
            },
        })
    }
}

/// Values of parameters, by name. A parameter that is not in the list has its default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters(BTreeMap<&'static str, Value>);

impl Parameters {
    /// Every parameter of `specs` at its default.
    pub fn defaults(specs: impl IntoIterator<Item = &'static Spec>) -> Self {
        let mut parameters = Self::default();
        for spec in specs {
            parameters.insert(spec, spec.default_value());
        }
        parameters
    }

    /// The value of `parameter`.
    pub fn get<T: Setting>(&self, parameter: &Parameter<T>) -> T {
        let value = self.0.get(parameter.spec.name).copied();
        value
            .and_then(T::from_value)
            .unwrap_or_else(|| parameter.default_value())
    }

    /// Sets `parameter`.
    pub fn set<T: Setting>(&mut self, parameter: &Parameter<T>, value: T) {
        self.0.insert(parameter.spec.name, value.into_value());
    }

    /// The list with `parameter` set.
    #[must_use]
    pub fn with<T: Setting>(mut self, parameter: &Parameter<T>, value: T) -> Self {
        self.set(parameter, value);
        self
    }

    /// Sets the parameter that `spec` declares.
    pub fn insert(&mut self, spec: &'static Spec, value: Value) {
        self.0.insert(spec.name, value);
    }

    /// Takes over every value of `others`.
    pub fn extend(&mut self, others: &Self) {
        self.0.extend(&others.0);
    }

    /// The value of the parameter that `spec` declares.
    pub fn value(&self, spec: &Spec) -> Value {
        let value = self.0.get(spec.name).copied();
        value.unwrap_or_else(|| spec.default_value())
    }

    /// The value of the parameter that `spec` declares, if the list has it.
    pub fn given(&self, spec: &Spec) -> Option<Value> {
        self.0.get(spec.name).copied()
    }
}

/// A map by names in snake_case.
impl Serialize for Parameters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.0)
    }
}

/// A snake_case name in camelCase, made at compile time.
#[derive(Clone, Copy)]
struct CamelCase {
    bytes: [u8; 32],
    length: usize,
}

impl CamelCase {
    const fn of(name: &str) -> Self {
        let name = name.as_bytes();
        let mut camel = Self {
            bytes: [0; 32],
            length: 0,
        };
        let mut at = 0;
        while at < name.len() {
            let after_underscore = at > 0 && name[at - 1] == b'_';
            if name[at] != b'_' {
                camel.bytes[camel.length] = if after_underscore {
                    name[at].to_ascii_uppercase()
                } else {
                    name[at]
                };
                camel.length += 1;
            }
            at += 1;
        }
        camel
    }

    const fn as_str(&self) -> &str {
        let (name, _) = self.bytes.split_at(self.length);
        match std::str::from_utf8(name) {
            Ok(name) => name,
            Err(_) => "",
        }
    }
}

impl fmt::Debug for CamelCase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPTH: Parameter<usize> = Parameter::odd("some_odd_depth", 3, [1, 9], "A depth.");
    const PART: Parameter<f32> = Parameter::share("part", 0.5, "A part.");

    #[test]
    fn one_name_is_spelt_in_three_ways() {
        assert_eq!(DEPTH.spec.json(), "someOddDepth");
        assert_eq!(DEPTH.spec.flag(), "some-odd-depth");
        assert_eq!(PART.spec.json(), "part");
    }

    #[test]
    fn values_out_of_range_are_refused_with_the_range() {
        let allowed = |value| DEPTH.spec.check(Value::Count(value)).unwrap_err().allowed;
        assert_eq!(
            [0, 4, 11].map(allowed),
            ["from 1 to 9", "odd", "from 1 to 9"]
        );
        assert_eq!(DEPTH.spec.check(Value::Count(9)), Ok(()));
        for share in [-0.1, 1.1, f32::NAN] {
            let refused = PART.spec.check(Value::Share(share)).unwrap_err();
            assert_eq!(
                (refused.field, refused.allowed.as_str()),
                ("part", "from 0 to 1")
            );
        }
    }

    #[test]
    fn a_list_has_defaults_for_what_it_lacks() {
        let mut list = Parameters::default();
        assert_eq!((list.get(&DEPTH), list.get(&PART)), (3, 0.5));
        list.set(&DEPTH, 5);
        assert_eq!((list.get(&DEPTH), list.given(&PART.spec)), (5, None));
        let mut other = Parameters::default().with(&PART, 0.25);
        other.extend(&list);
        assert_eq!((other.get(&DEPTH), other.get(&PART)), (5, 0.25));
        let json = serde_json::to_value(&other).unwrap();
        assert_eq!(
            json,
            serde_json::json!({ "part": 0.25, "some_odd_depth": 5 })
        );
    }
}
