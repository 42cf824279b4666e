//! The storage types of keys and of values, which may differ.

use std::fmt;

use burn::tensor::Device;
use serde::de::{Error, IntoDeserializer, MapAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::CacheType;
use crate::cache::error::ConfigError;

/// The types in which keys and values are stored. Written as one name if they are the same.
///
/// ```
/// use kvscope::cache::{CacheType, CacheTypes};
///
/// let types: CacheTypes = serde_json::from_str(r#"{"keys": "h8", "values": "h4"}"#)?;
/// assert_eq!(types, CacheTypes { keys: CacheType::H8, values: CacheType::H4 });
/// assert_eq!(serde_json::to_string(&CacheTypes::from(CacheType::H8))?, r#""h8""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct CacheTypes {
    /// Type of the keys.
    pub keys: CacheType,
    /// Type of the values.
    pub values: CacheType,
}

/// Names of the fields, where each type is written by itself.
const FIELDS: &[&str] = &["keys", "values"];

impl CacheTypes {
    /// Both, the keys' first.
    pub const fn each(self) -> [CacheType; 2] {
        [self.keys, self.values]
    }

    /// Types in which a first prompt's rows lie until its end. Caches of the same ones are
    /// [forks](crate::cache::ScopeCache::fork) of one prompt.
    pub fn of_prompt(self) -> Self {
        let [keys, values] = self.each().map(CacheType::of_prompt);
        Self { keys, values }
    }

    /// Bytes per slot of `head_dim` elements: a row of keys and one of values.
    pub fn row_bytes(self, head_dim: usize) -> usize {
        self.each().map(|one| one.row_bytes(head_dim)).iter().sum()
    }

    /// Checks that `device` can hold rows of `head_dim` elements.
    pub(in crate::cache) fn check(
        self,
        head_dim: usize,
        device: &Device,
    ) -> Result<(), ConfigError> {
        for one in self.each() {
            one.of_prompt().check(head_dim, device)?;
            one.check(head_dim, device)?;
        }
        Ok(())
    }
}

impl From<CacheType> for CacheTypes {
    fn from(one: CacheType) -> Self {
        Self {
            keys: one,
            values: one,
        }
    }
}

impl fmt::Display for CacheTypes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { keys, values } = self;
        if keys == values {
            write!(formatter, "{keys}")
        } else {
            write!(formatter, "{keys} keys and {values} values")
        }
    }
}

impl Serialize for CacheTypes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { keys, values } = self;
        if keys == values {
            return keys.serialize(serializer);
        }
        let mut each = serializer.serialize_struct("CacheTypes", FIELDS.len())?;
        each.serialize_field("keys", keys)?;
        each.serialize_field("values", values)?;
        each.end()
    }
}

impl<'de> Deserialize<'de> for CacheTypes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

/// Reads either form; what is left out is f16. An error says which name or field is not known, and
/// which ones are.
struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = CacheTypes;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = CacheType::NAMES.join("`, `");
        write!(
            formatter,
            "one of `{names}`, or an object with `keys` and `values`"
        )
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<CacheTypes, E> {
        CacheType::deserialize(name.into_deserializer()).map(CacheTypes::from)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<CacheTypes, A::Error> {
        let mut types = CacheTypes::default();
        while let Some(field) = map.next_key::<String>()? {
            let one = match field.as_str() {
                "keys" => &mut types.keys,
                "values" => &mut types.values,
                _ => return Err(Error::unknown_field(&field, FIELDS)),
            };
            let named = |error: A::Error| A::Error::custom(format_args!("`{field}`: {error}"));
            *one = map.next_value().map_err(named)?;
        }
        Ok(types)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<CacheTypes, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn both_forms_are_read_and_written() {
        let (h8, f16) = (CacheType::H8, CacheType::F16);
        for (json, keys, values) in [
            (r#""h8""#, h8, h8),
            (r#"{"keys":"h8"}"#, h8, f16),
            (r#"{"values":"h8","keys":"f16"}"#, f16, h8),
            ("{}", f16, f16),
        ] {
            let types = CacheTypes { keys, values };
            assert_eq!(read(json), Ok(types), "{json}");
            let written = serde_json::to_string(&types).unwrap();
            assert_eq!(read(&written), Ok(types), "{written}");
        }
    }

    #[test]
    fn errors_name_the_field_and_what_is_allowed() {
        let names = CacheType::NAMES;
        for (json, named, allowed) in [
            (r#""q9""#, "`q9`", names),
            (r#"{"keys":"h8","values":"q9"}"#, "`values`: unknown", names),
            (r#"{"kyes":"h8"}"#, "`kyes`", FIELDS),
            ("8", "`8`", names),
            (r#"{"keys":8}"#, "`keys`: ", &FIELDS[..0]),
            ("null", "null", FIELDS),
        ] {
            let message = read(json).unwrap_err();
            assert!(message.contains(named), "{json}: {message}");
            for name in allowed {
                assert!(message.contains(&format!("`{name}`")), "{json}: {message}");
            }
        }
    }
}
