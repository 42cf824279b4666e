//! Header of a file: its tensors' names, types, shapes and places.

use super::entry::Entry;
use super::json::{Key, Strings, malformed, utf8};
use super::{LENGTH_BYTES, MAX_TENSORS};
use crate::formats::{Directory, WeightsError};
use crate::quoted::quoted;
use serde::Deserializer;
use serde::de::{Error, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// Key under which a header has free text instead of a tensor.
const METADATA: &str = "__metadata__";

/// Header of a safetensors file: everything before its tensors' bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafetensorsHeader {
    /// Free text by key, such as `format`; most files have nothing of use here.
    pub metadata: BTreeMap<String, String>,
    /// The tensors' names, shapes, types and places.
    pub tensors: Directory,
    /// Begin of the first tensor, in bytes from the start of the file.
    pub data_start: u64,
}

impl SafetensorsHeader {
    /// Length of the file in bytes: it ends where its last tensor does.
    pub fn file_bytes(&self) -> u64 {
        self.tensors.end().max(self.data_start)
    }

    /// Parses the JSON of the header of a file of `file_bytes` (if that is known).
    pub(super) fn parse(bytes: &[u8], file_bytes: Option<u64>) -> Result<Self, WeightsError> {
        let what = "the header's JSON";
        let text = utf8(bytes, LENGTH_BYTES, what)?;
        let data_start = LENGTH_BYTES.saturating_add(text.len() as u64);
        let mut contents = Contents {
            text,
            data_start,
            metadata: None,
            directory: Directory::default(),
            wrong: None,
        };
        let mut json = serde_json::Deserializer::from_str(text);
        let parsed = json
            .deserialize_map(&mut contents)
            .and_then(|()| json.end());
        if let Some(wrong) = contents.wrong {
            return Err(wrong);
        }
        parsed.map_err(|error| {
            let expected =
                "an object of tensors, each once, with `dtype`, `shape` and `data_offsets`";
            malformed(&error, text, LENGTH_BYTES, what, expected)
        })?;
        let header = Self {
            metadata: contents.metadata.unwrap_or_default(),
            tensors: contents.directory.complete(file_bytes)?,
            data_start,
        };
        header.check_gaps()?;
        match file_bytes {
            Some(file_bytes) if file_bytes > header.file_bytes() => Err(header.more_bytes()),
            _ => Ok(header),
        }
    }

    /// The error of a file that goes on after its last tensor.
    pub(super) fn more_bytes(&self) -> WeightsError {
        let what = "what comes after the last tensor";
        WeightsError::malformed(self.file_bytes(), what, "more bytes", "the end of the file")
    }

    /// The format has no gap before, between or after tensors.
    fn check_gaps(&self) -> Result<(), WeightsError> {
        let mut end = self.data_start;
        let in_order = (0..self.tensors.len()).filter_map(|nth| self.tensors.in_file_order(nth));
        for tensor in in_order.filter_map(|index| self.tensors.get(index)) {
            if tensor.offset != end {
                return Err(WeightsError::malformed(
                    tensor.entry_offset(),
                    format!("the offset of tensor {}", quoted(&tensor.name)),
                    format!("byte {} of the file", tensor.offset),
                    format!("byte {end}, so that there is no gap before it"),
                ));
            }
            end = tensor.end();
        }
        Ok(())
    }
}

/// Contents of a header's JSON, collected while it is parsed.
struct Contents<'t> {
    text: &'t str,
    data_start: u64,
    metadata: Option<BTreeMap<String, String>>,
    directory: Directory,
    /// The error that stopped the parser, if it was not the JSON's.
    wrong: Option<WeightsError>,
}

impl Contents<'_> {
    /// Begin of a member of the object. A key that is written with escapes is not borrowed from the
    /// text: then the begin of the text.
    fn entry_offset(&self, key: &str) -> u64 {
        let text = self.text.as_ptr().addr();
        let quote = key.as_ptr().addr().checked_sub(1);
        let inside = quote.and_then(|quote| quote.checked_sub(text));
        let inside = inside.filter(|&inside| inside < self.text.len());
        LENGTH_BYTES.saturating_add(inside.unwrap_or_default() as u64)
    }

    fn add(&mut self, key: &str, entry: Entry) -> Result<(), WeightsError> {
        let offset = self.entry_offset(key);
        let tensor = entry.tensor(key, offset, self.data_start)?;
        self.directory.add(tensor);
        Ok(())
    }

    fn check_key(&self, key: &str) -> Result<(), WeightsError> {
        let twice = match key {
            METADATA => self.metadata.is_some(),
            name => self.directory.index_of(name).is_some(),
        };
        let (found, expected) = if twice {
            (quoted(key), "each name once".to_owned())
        } else if key.is_empty() {
            ("empty".to_owned(), "a name".to_owned())
        } else if self.directory.len() == MAX_TENSORS {
            (quoted(key), format!("at most {MAX_TENSORS} tensors"))
        } else {
            return Ok(());
        };
        let offset = self.entry_offset(key);
        Err(WeightsError::malformed(
            offset,
            "a tensor's name",
            found,
            expected,
        ))
    }
}

impl<'de> Visitor<'de> for &mut Contents<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            let mut taken = self.check_key(&key);
            if taken.is_ok() && key == METADATA {
                self.metadata = Some(map.next_value::<Strings>()?.0);
            } else if taken.is_ok() {
                let entry = map.next_value()?;
                taken = self.add(&key, entry);
            }
            if let Err(wrong) = taken {
                self.wrong = Some(wrong);
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}
