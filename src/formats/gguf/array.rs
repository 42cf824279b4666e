//! Metadata arrays, read as their elements arrive.

use super::MAX_HEADER_BYTES;
use super::cursor::{Cursor, Stop};
use super::scalar::{Scalar, ValueType};
use crate::formats::WeightsError;

/// Strings one after the other in one allocation: a vocabulary has hundreds of thousands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StringArray {
    text: String,
    /// End of each string. A header is far below 4 GiB.
    ends: Vec<u32>,
}

impl StringArray {
    /// Number of strings.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The string at `index`, if there is one.
    pub fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)? as usize;
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)? as usize,
            None => 0,
        };
        self.text.get(start..end)
    }

    /// All strings, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|index| self.get(index).unwrap_or_default())
    }

    /// Appends a string that was read from a header.
    fn push(&mut self, string: &str) {
        self.text.push_str(string);
        // Never cut off: all strings of a header together are shorter than `MAX_HEADER_BYTES`.
        self.ends.push(self.text.len() as u32);
    }
}

/// Value of a metadata key that is an array. Arrays of arrays are not read: no model that kvscope
/// knows has one.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum MetadataArray {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    F32(Vec<f32>),
    Bool(Vec<bool>),
    String(StringArray),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F64(Vec<f64>),
}

impl MetadataArray {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(values) => values.len(),
            Self::I8(values) => values.len(),
            Self::U16(values) => values.len(),
            Self::I16(values) => values.len(),
            Self::U32(values) => values.len(),
            Self::I32(values) => values.len(),
            Self::F32(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::String(values) => values.len(),
            Self::U64(values) => values.len(),
            Self::I64(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    /// True if there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements, if they are integers of any width.
    pub fn integers(&self) -> Option<Vec<i128>> {
        fn wide<T: Copy + Into<i128>>(values: &[T]) -> Vec<i128> {
            values.iter().map(|&value| value.into()).collect()
        }
        Some(match self {
            Self::U8(values) => wide(values),
            Self::I8(values) => wide(values),
            Self::U16(values) => wide(values),
            Self::I16(values) => wide(values),
            Self::U32(values) => wide(values),
            Self::I32(values) => wide(values),
            Self::U64(values) => wide(values),
            Self::I64(values) => wide(values),
            Self::F32(_) | Self::Bool(_) | Self::String(_) | Self::F64(_) => return None,
        })
    }

    fn empty(element: ValueType) -> Option<Self> {
        Some(match element {
            ValueType::U8 => Self::U8(Vec::new()),
            ValueType::I8 => Self::I8(Vec::new()),
            ValueType::U16 => Self::U16(Vec::new()),
            ValueType::I16 => Self::I16(Vec::new()),
            ValueType::U32 => Self::U32(Vec::new()),
            ValueType::I32 => Self::I32(Vec::new()),
            ValueType::F32 => Self::F32(Vec::new()),
            ValueType::Bool => Self::Bool(Vec::new()),
            ValueType::String => Self::String(StringArray::default()),
            ValueType::U64 => Self::U64(Vec::new()),
            ValueType::I64 => Self::I64(Vec::new()),
            ValueType::F64 => Self::F64(Vec::new()),
            ValueType::Array => return None,
        })
    }

    /// Reads one element and appends it.
    fn read_element(&mut self, cursor: &mut Cursor<'_>, what: &str) -> Result<(), Stop> {
        match self {
            Self::U8(values) => values.push(Scalar::read(cursor, what)?),
            Self::I8(values) => values.push(Scalar::read(cursor, what)?),
            Self::U16(values) => values.push(Scalar::read(cursor, what)?),
            Self::I16(values) => values.push(Scalar::read(cursor, what)?),
            Self::U32(values) => values.push(Scalar::read(cursor, what)?),
            Self::I32(values) => values.push(Scalar::read(cursor, what)?),
            Self::F32(values) => values.push(Scalar::read(cursor, what)?),
            Self::Bool(values) => values.push(Scalar::read(cursor, what)?),
            Self::String(values) => values.push(cursor.string(what, MAX_HEADER_BYTES)?),
            Self::U64(values) => values.push(Scalar::read(cursor, what)?),
            Self::I64(values) => values.push(Scalar::read(cursor, what)?),
            Self::F64(values) => values.push(Scalar::read(cursor, what)?),
        }
        Ok(())
    }
}

/// An array, some elements of which may still have to arrive.
#[derive(Debug)]
pub(super) struct PartialArray {
    values: MetadataArray,
    left: u64,
}

impl PartialArray {
    /// Reads the elements' type and their number; memory is taken only as elements arrive.
    pub(super) fn begin(cursor: &mut Cursor<'_>, what: &str) -> Result<Self, Stop> {
        let offset = cursor.offset();
        let element = ValueType::read(cursor, what)?;
        let left = cursor.u64(what)?;
        let values = MetadataArray::empty(element).ok_or_else(|| WeightsError::Unsupported {
            offset,
            what: what.to_owned(),
            found: "an array of arrays".to_owned(),
            supported: "arrays of numbers, bools and strings".to_owned(),
        })?;
        let least = left.checked_mul(element.least_bytes());
        cursor.claim(least.unwrap_or(u64::MAX), what)?;
        Ok(Self { values, left })
    }

    /// Reads the elements that are there. [`Stop::More`] only if there was none.
    pub(super) fn fill(&mut self, cursor: &mut Cursor<'_>, what: &str) -> Result<(), Stop> {
        let mut some = self.left == 0;
        while self.left > 0 {
            match cursor.attempt(|cursor| self.values.read_element(cursor, what)) {
                Ok(()) => self.left -= 1,
                Err(Stop::More) if some => break,
                Err(stop) => return Err(stop),
            }
            some = true;
        }
        Ok(())
    }

    /// True if all elements are there.
    pub(super) fn is_complete(&self) -> bool {
        self.left == 0
    }

    pub(super) fn into_values(self) -> MetadataArray {
        self.values
    }
}
