//! Types of metadata values, and values of fixed size.

use super::cursor::{Cursor, Stop};
use crate::formats::WeightsError;

/// Type of a metadata value. The order is that of the numbers in a file, from 0.
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

    /// Fewest bytes of a value of this type.
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
