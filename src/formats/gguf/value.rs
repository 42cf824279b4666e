//! Metadata values.

use super::MAX_HEADER_BYTES;
use super::array::MetadataArray;
use super::cursor::{Cursor, Stop};
use super::scalar::{Scalar, ValueType};

/// Value of a metadata key.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum MetadataValue {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(String),
    Array(MetadataArray),
    U64(u64),
    I64(i64),
    F64(f64),
}

impl MetadataValue {
    /// Type of the value.
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::U8(_) => ValueType::U8,
            Self::I8(_) => ValueType::I8,
            Self::U16(_) => ValueType::U16,
            Self::I16(_) => ValueType::I16,
            Self::U32(_) => ValueType::U32,
            Self::I32(_) => ValueType::I32,
            Self::F32(_) => ValueType::F32,
            Self::Bool(_) => ValueType::Bool,
            Self::String(_) => ValueType::String,
            Self::Array(_) => ValueType::Array,
            Self::U64(_) => ValueType::U64,
            Self::I64(_) => ValueType::I64,
            Self::F64(_) => ValueType::F64,
        }
    }

    /// Reads a value that is not an array; for an array's type, `None`.
    pub(super) fn read(
        cursor: &mut Cursor<'_>,
        value_type: ValueType,
        what: &str,
    ) -> Result<Option<Self>, Stop> {
        Ok(Some(match value_type {
            ValueType::U8 => Self::U8(u8::read(cursor, what)?),
            ValueType::I8 => Self::I8(i8::read(cursor, what)?),
            ValueType::U16 => Self::U16(u16::read(cursor, what)?),
            ValueType::I16 => Self::I16(i16::read(cursor, what)?),
            ValueType::U32 => Self::U32(u32::read(cursor, what)?),
            ValueType::I32 => Self::I32(i32::read(cursor, what)?),
            ValueType::F32 => Self::F32(f32::read(cursor, what)?),
            ValueType::Bool => Self::Bool(bool::read(cursor, what)?),
            ValueType::String => Self::String(cursor.string(what, MAX_HEADER_BYTES)?.to_owned()),
            ValueType::U64 => Self::U64(u64::read(cursor, what)?),
            ValueType::I64 => Self::I64(i64::read(cursor, what)?),
            ValueType::F64 => Self::F64(f64::read(cursor, what)?),
            ValueType::Array => return Ok(None),
        }))
    }
}
