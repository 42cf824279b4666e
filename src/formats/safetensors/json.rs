//! JSON of headers and indices: their common parts.

use super::MAX_PAIRS;
use crate::formats::WeightsError;
use crate::quoted::{quoted, shortened};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Name of a member of an object; borrowed from the JSON unless it is written with escapes.
#[derive(Deserialize)]
pub(super) struct Key<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// An object whose members are strings, each name once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Strings(pub(super) BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(StringsVisitor)
    }
}

struct StringsVisitor;

impl<'de> Visitor<'de> for StringsVisitor {
    type Value = Strings;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strings, A::Error> {
        let mut strings = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<String, String>()? {
            if strings.contains_key(&key) {
                return Err(A::Error::custom(format_args!("{} twice", quoted(&key))));
            }
            if strings.len() == MAX_PAIRS {
                return Err(A::Error::custom(format_args!(
                    "more than {MAX_PAIRS} members"
                )));
            }
            strings.insert(key, value);
        }
        Ok(Strings(strings))
    }
}

/// Text of `bytes`, which begin at byte `start` of the file. The JSON parser alone would not do. It
/// passes over the values of unknown members without a look at their encoding.
pub(super) fn utf8<'a>(bytes: &'a [u8], start: u64, what: &str) -> Result<&'a str, WeightsError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let offset = start.saturating_add(error.valid_up_to() as u64);
        WeightsError::malformed(offset, what, "not UTF-8", "JSON in UTF-8")
    })
}

/// Error of the parser about `text`, which begins at byte `start` of the file.
pub(super) fn malformed(
    error: &serde_json::Error,
    text: &str,
    start: u64,
    what: &str,
    expected: &str,
) -> WeightsError {
    let place = place(text, error.line(), error.column());
    let message = error.to_string();
    let message = message
        .rsplit_once(" at line ")
        .map_or(&*message, |(front, _)| front);
    let found = format!("wrong ({})", shortened(message));
    WeightsError::malformed(start.saturating_add(place as u64), what, found, expected)
}

/// Place in `text` of a line and column, both counted from 1, the column in bytes.
fn place(text: &str, line: usize, column: usize) -> usize {
    let lines = text.split_inclusive('\n');
    let before: usize = lines.take(line.saturating_sub(1)).map(str::len).sum();
    before
        .saturating_add(column.saturating_sub(1))
        .min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_placed_in_the_file() {
        for (text, at) in [
            ("{\"a\": 1}", 6),
            ("{\n \"a\":\n\n  x}", 11),
            ("{\"a\": \"b\",", 9),
            ("", 0),
        ] {
            let error = serde_json::from_str::<Strings>(text).unwrap_err();
            let error = malformed(&error, text, 100, "the JSON", "strings");
            assert_eq!(error.offset(), Some(100 + at), "{error}");
        }
    }
}
