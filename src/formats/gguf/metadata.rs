//! Metadata of a file: the model's sizes, its tokenizer, its chat template.

use super::array::MetadataArray;
use super::value::MetadataValue;
use crate::formats::WeightsError;
use crate::quoted::quoted;
use std::collections::BTreeMap;

/// Metadata of a file, with the place of each value, so that errors can point to it.
///
/// The typed getters give `None` for a missing key, and an error for a value of another type.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    pairs: BTreeMap<String, Pair>,
    end: u64,
}

#[derive(Debug, Clone, PartialEq)]
struct Pair {
    offset: u64,
    value: MetadataValue,
}

impl Metadata {
    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// True if there is no pair.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// All keys and their values, by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &MetadataValue)> {
        let pairs = self.pairs.iter();
        pairs.map(|(key, pair)| (key.as_str(), &pair.value))
    }

    /// Value of `key`, of any type.
    pub fn get(&self, key: &str) -> Option<&MetadataValue> {
        self.pairs.get(key).map(|pair| &pair.value)
    }

    /// Begin of the value of `key` or, without that key, end of the metadata.
    pub fn offset(&self, key: &str) -> u64 {
        self.pairs.get(key).map_or(self.end, |pair| pair.offset)
    }

    /// An integer of any width that is not negative.
    pub fn unsigned(&self, key: &str) -> Result<Option<u64>, WeightsError> {
        self.typed(key, "an integer that is not negative", |value| {
            integer(value)?.try_into().ok()
        })
    }

    /// A finite float; a 64-bit one is rounded.
    pub fn float(&self, key: &str) -> Result<Option<f32>, WeightsError> {
        self.typed(key, "a finite float", |value| {
            let number = match *value {
                MetadataValue::F32(number) => number,
                MetadataValue::F64(number) => number as f32,
                _ => return None,
            };
            number.is_finite().then_some(number)
        })
    }

    /// A bool.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, WeightsError> {
        self.typed(key, "a bool", |value| match *value {
            MetadataValue::Bool(flag) => Some(flag),
            _ => None,
        })
    }

    /// A string.
    pub fn text(&self, key: &str) -> Result<Option<&str>, WeightsError> {
        self.typed(key, "a string", |value| match value {
            MetadataValue::String(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// An array of any elements.
    pub fn array(&self, key: &str) -> Result<Option<&MetadataArray>, WeightsError> {
        self.typed(key, "an array", |value| match value {
            MetadataValue::Array(array) => Some(array),
            _ => None,
        })
    }

    /// Value by a getter, with an error for a key that is not there:
    /// `metadata.required(key, Metadata::unsigned)`.
    pub fn required<'a, T>(
        &'a self,
        key: &str,
        getter: impl FnOnce(&'a Self, &str) -> Result<Option<T>, WeightsError>,
    ) -> Result<T, WeightsError> {
        getter(self, key)?.ok_or_else(|| self.unfit(key, "missing", "a value"))
    }

    /// Error for a value of the right type that the model cannot have.
    pub fn unfit(
        &self,
        key: &str,
        found: impl std::fmt::Display,
        expected: impl Into<String>,
    ) -> WeightsError {
        let what = format!("metadata key {}", quoted(key));
        WeightsError::malformed(self.offset(key), what, found, expected)
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &'static str,
        read: impl FnOnce(&'a MetadataValue) -> Option<T>,
    ) -> Result<Option<T>, WeightsError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => Err(self.unfit(key, shown(value), expected)),
        }
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.pairs.contains_key(key)
    }

    pub(super) fn insert(&mut self, key: String, offset: u64, value: MetadataValue) {
        self.pairs.insert(key, Pair { offset, value });
    }

    /// Sets the end of the metadata, for [`offset`](Self::offset).
    pub(super) fn set_end(&mut self, end: u64) {
        self.end = end;
    }
}

fn integer(value: &MetadataValue) -> Option<i128> {
    Some(match *value {
        MetadataValue::U8(number) => number.into(),
        MetadataValue::U16(number) => number.into(),
        MetadataValue::U32(number) => number.into(),
        MetadataValue::U64(number) => number.into(),
        MetadataValue::I8(number) => number.into(),
        MetadataValue::I16(number) => number.into(),
        MetadataValue::I32(number) => number.into(),
        MetadataValue::I64(number) => number.into(),
        _ => return None,
    })
}

/// Value as an error shows it.
fn shown(value: &MetadataValue) -> String {
    match value {
        MetadataValue::String(text) => quoted(text),
        MetadataValue::Array(array) => format!("an array of {} elements", array.len()),
        number => format!("{number:?}"),
    }
}
