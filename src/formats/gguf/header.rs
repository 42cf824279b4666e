//! Header of a file: preamble, metadata and tensor directory, parsed as they arrive.

use super::array::PartialArray;
use super::cursor::{Cursor, Stop};
use super::entries::PartialDirectory;
use super::metadata::Metadata;
use super::scalar::ValueType;
use super::value::MetadataValue;
use super::{DEFAULT_ALIGNMENT, MAX_KEY_BYTES, MAX_METADATA_PAIRS, MAX_TENSORS};
use crate::formats::{Directory, WeightsError};
use crate::quoted::quoted;

/// Header of a GGUF file: everything before its tensors' bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct GgufHeader {
    /// Version of the format, 2 or 3.
    pub version: u32,
    /// The model's sizes, its tokenizer, its chat template.
    pub metadata: Metadata,
    /// The tensors' names, shapes, types and places.
    pub tensors: Directory,
    /// First place for a tensor, in bytes from the start of the file.
    pub data_start: u64,
}

impl GgufHeader {
    /// Fewest bytes of the file: the end of its last tensor.
    pub fn file_bytes(&self) -> u64 {
        self.tensors.end().max(self.data_start)
    }
}

/// The item that comes next.
#[derive(Debug, Default)]
enum Stage {
    #[default]
    Magic,
    Counts,
    Key,
    Value {
        key: String,
    },
    Array {
        key: String,
        offset: u64,
        array: PartialArray,
    },
    Tensor,
    End,
}

/// Parses a header item by item, each as soon as it has arrived. Keeps what it has parsed, not the
/// bytes.
#[derive(Debug, Default)]
pub(super) struct HeaderParser {
    stage: Stage,
    version: u32,
    pairs_left: u64,
    tensors: u64,
    metadata: Metadata,
    directory: PartialDirectory,
}

impl HeaderParser {
    /// Parses what has arrived; the header, once it is complete. The cursor then stands at its end.
    pub(super) fn parse(
        &mut self,
        cursor: &mut Cursor<'_>,
    ) -> Result<Option<GgufHeader>, WeightsError> {
        while !matches!(self.stage, Stage::End) {
            match cursor.attempt(|cursor| self.step(cursor)) {
                Ok(next) => self.stage = next,
                Err(Stop::More) => return Ok(None),
                Err(Stop::Wrong(error)) => return Err(*error),
            }
        }
        self.complete(cursor).map(Some)
    }

    /// The next thing that the header should have, for a file that ends too early.
    pub(super) fn expecting(&self) -> String {
        match &self.stage {
            Stage::Magic => "a GGUF file's first 8 bytes".to_owned(),
            Stage::Counts => "the counts of tensors and metadata pairs".to_owned(),
            Stage::Key => format!("{} more metadata pairs", self.pairs_left),
            Stage::Value { key } | Stage::Array { key, .. } => value_of(key),
            Stage::Tensor => {
                let read = self.directory.len() as u64;
                let left = self.tensors.saturating_sub(read);
                format!("{left} more entries of the tensor directory")
            }
            Stage::End => "the end of the header".to_owned(),
        }
    }

    /// Reads one item, and gives the stage after it.
    fn step(&mut self, cursor: &mut Cursor<'_>) -> Result<Stage, Stop> {
        match &mut self.stage {
            Stage::Magic => self.magic(cursor),
            Stage::Counts => {
                self.tensors = cursor.count("the count of tensors", MAX_TENSORS)?;
                self.pairs_left =
                    cursor.count("the count of metadata pairs", MAX_METADATA_PAIRS)?;
                Ok(self.after_pair(cursor))
            }
            Stage::Key => self.key(cursor),
            Stage::Value { key } => {
                let what = value_of(key);
                let value_type = ValueType::read(cursor, &what)?;
                let offset = cursor.offset();
                match MetadataValue::read(cursor, value_type, &what)? {
                    Some(value) => {
                        let key = std::mem::take(key);
                        Ok(self.insert(key, offset, value, cursor))
                    }
                    None => {
                        let array = PartialArray::begin(cursor, &what)?;
                        let key = std::mem::take(key);
                        Ok(Stage::Array { key, offset, array })
                    }
                }
            }
            Stage::Array { key, array, .. } => {
                array.fill(cursor, &value_of(key))?;
                match std::mem::replace(&mut self.stage, Stage::Key) {
                    Stage::Array { key, offset, array } if array.is_complete() => {
                        let value = MetadataValue::Array(array.into_values());
                        Ok(self.insert(key, offset, value, cursor))
                    }
                    unfinished => Ok(unfinished),
                }
            }
            Stage::Tensor => {
                self.directory.read_entry(cursor)?;
                Ok(self.after_tensor())
            }
            Stage::End => Ok(Stage::End),
        }
    }

    fn magic(&mut self, cursor: &mut Cursor<'_>) -> Result<Stage, Stop> {
        let offset = cursor.offset();
        let magic: [u8; 4] = cursor.array("the magic number")?;
        if magic != *b"GGUF" {
            let found = format!("\"{}\"", magic.escape_ascii());
            return Err(
                WeightsError::malformed(offset, "the magic number", found, "\"GGUF\"").into(),
            );
        }
        let offset = cursor.offset();
        self.version = cursor.u32("the version")?;
        if matches!(self.version, 2 | 3) {
            return Ok(Stage::Counts);
        }
        let found = match self.version.swap_bytes() {
            version @ 1..=3 => format!("{version}, big-endian"),
            _ => self.version.to_string(),
        };
        Err(WeightsError::Unsupported {
            offset,
            what: "the version".to_owned(),
            found,
            supported: "versions 2 and 3, little-endian".to_owned(),
        }
        .into())
    }

    fn key(&mut self, cursor: &mut Cursor<'_>) -> Result<Stage, Stop> {
        let offset = cursor.offset();
        let what = "a metadata key";
        let key = cursor.string(what, MAX_KEY_BYTES)?;
        if key.is_empty() {
            return Err(WeightsError::malformed(offset, what, "empty", "a name").into());
        }
        if self.metadata.contains(key) {
            let expected = "each key once";
            return Err(WeightsError::malformed(offset, what, quoted(key), expected).into());
        }
        self.pairs_left = self.pairs_left.saturating_sub(1);
        let key = key.to_owned();
        Ok(Stage::Value { key })
    }

    fn insert(
        &mut self,
        key: String,
        offset: u64,
        value: MetadataValue,
        cursor: &Cursor<'_>,
    ) -> Stage {
        self.metadata.insert(key, offset, value);
        self.after_pair(cursor)
    }

    fn after_pair(&mut self, cursor: &Cursor<'_>) -> Stage {
        if self.pairs_left > 0 {
            return Stage::Key;
        }
        self.metadata.set_end(cursor.offset());
        self.after_tensor()
    }

    fn after_tensor(&self) -> Stage {
        if (self.directory.len() as u64) < self.tensors {
            Stage::Tensor
        } else {
            Stage::End
        }
    }

    fn complete(&mut self, cursor: &Cursor<'_>) -> Result<GgufHeader, WeightsError> {
        let metadata = std::mem::take(&mut self.metadata);
        let alignment = alignment(&metadata)?;
        let header_end = cursor.offset();
        let data_start = header_end.checked_next_multiple_of(alignment);
        let data_start = data_start.ok_or_else(|| {
            metadata.unfit(ALIGNMENT, alignment, "one that leaves room for tensors")
        })?;
        let directory = std::mem::take(&mut self.directory);
        let tensors = directory.place(data_start, alignment, cursor.file_bytes())?;
        Ok(GgufHeader {
            version: self.version,
            metadata,
            tensors,
            data_start,
        })
    }
}

const ALIGNMENT: &str = "general.alignment";

/// Alignment of the file in bytes: every tensor begins at a multiple of it.
fn alignment(metadata: &Metadata) -> Result<u64, WeightsError> {
    let alignment = metadata.unsigned(ALIGNMENT)?.unwrap_or(DEFAULT_ALIGNMENT);
    if alignment.is_power_of_two() && u32::try_from(alignment).is_ok() {
        Ok(alignment)
    } else {
        Err(metadata.unfit(ALIGNMENT, alignment, "a power of two below 2^32"))
    }
}

fn value_of(key: &str) -> String {
    format!("the value of metadata key {}", quoted(key))
}
