//! The storage types of keys and of values, which may differ.

use std::fmt;

use burn::tensor::Device;
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

/// Both forms in which [`CacheTypes`] are written; what is left out is f16.
#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a cache type, or an object with `keys` and `values`"
)]
enum Written {
    Both(CacheType),
    Each(Each),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Each {
    #[serde(default)]
    keys: CacheType,
    #[serde(default)]
    values: CacheType,
}

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
        let Self { keys, values } = *self;
        if keys == values {
            Written::Both(keys).serialize(serializer)
        } else {
            Written::Each(Each { keys, values }).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for CacheTypes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::Both(one) => one.into(),
            Written::Each(Each { keys, values }) => Self { keys, values },
        })
    }
}
