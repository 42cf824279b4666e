//! One metadata value.

use super::MAX_HEADER_BYTES;
use super::array::MetadataArray;
use super::cursor::{Cursor, Stop};
use crate::formats::WeightsError;

/// The type of a metadata value. The order is that of the numbers in a file, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum ValueType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    String,
    Array,
    U64,
    I64,
    F64,
}

impl ValueType {
    const ALL: [Self; 13] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::F32,
        Self::Bool,
        Self::String,
        Self::Array,
        Self::U64,
        Self::I64,
        Self::F64,
    ];

    /// Reads a type's number.
    pub(super) fn read(cursor: &mut Cursor<'_>, what: &str) -> Result<Self, Stop> {
        let offset = cursor.offset();
        let id = cursor.u32(what)?;
        let found = usize::try_from(id).ok().and_then(|id| Self::ALL.get(id));
        found.copied().ok_or_else(|| {
            WeightsError::malformed(offset, what, id, "a type's number, from 0 to 12").into()
        })
    }

    /// The fewest bytes that a value of this type takes.
    pub(super) fn least_bytes(self) -> u64 {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 | Self::String => 8,
            Self::Array => 12,
        }
    }
}

/// The value of a metadata key.
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
    /// Its type.
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

/// A value of fixed size.
pub(super) trait Scalar: Sized {
    fn read(cursor: &mut Cursor<'_>, what: &str) -> Result<Self, Stop>;
}

macro_rules! little_endian {
    ($($number:ty),*) => {$(
        impl Scalar for $number {
            fn read(cursor: &mut Cursor<'_>, what: &str) -> Result<Self, Stop> {
                Ok(Self::from_le_bytes(cursor.array(what)?))
            }
        }
    )*};
}
little_endian!(u8, i8, u16, i16, u32, i32, u64, i64, f32, f64);

impl Scalar for bool {
    fn read(cursor: &mut Cursor<'_>, what: &str) -> Result<Self, Stop> {
        let offset = cursor.offset();
        match u8::read(cursor, what)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(WeightsError::malformed(offset, what, other, "a bool, 0 or 1").into()),
        }
    }
}
