//! Header of a safetensors file from a stream: its length, then its JSON.

use super::header::SafetensorsHeader;
use super::{LENGTH_BYTES, MAX_HEADER_BYTES};
use crate::formats::stream::{FileHeader, HeaderReader, take};
use crate::formats::{Directory, WeightsError};

impl FileHeader for SafetensorsHeader {
    type Reader = SafetensorsHeaderReader;

    fn tensors(&self) -> &Directory {
        &self.tensors
    }

    fn too_long(&self) -> Option<WeightsError> {
        Some(self.more_bytes())
    }
}

/// Reads a header from chunks of any size.
#[derive(Debug)]
pub enum SafetensorsHeaderReader {
    /// Bytes of the header's length so far.
    Length(Vec<u8>),
    /// Bytes of the header's JSON so far, and their number in the end.
    Json(Vec<u8>, u64),
}

impl Default for SafetensorsHeaderReader {
    fn default() -> Self {
        Self::Length(Vec::new())
    }
}

impl HeaderReader for SafetensorsHeaderReader {
    type Header = SafetensorsHeader;

    fn read(
        &mut self,
        input: &mut &[u8],
        position: &mut u64,
        file_bytes: Option<u64>,
    ) -> Result<Option<SafetensorsHeader>, WeightsError> {
        match self {
            Self::Length(came) => {
                let missing = LENGTH_BYTES.saturating_sub(came.len() as u64);
                came.extend_from_slice(take(input, position, missing));
                if let Ok(length) = came.as_slice().try_into() {
                    let length = u64::from_le_bytes(length);
                    check_length(length, file_bytes)?;
                    *self = Self::Json(Vec::new(), length);
                }
                Ok(None)
            }
            Self::Json(text, length) => {
                let missing = length.saturating_sub(text.len() as u64);
                text.extend_from_slice(take(input, position, missing));
                check_start(text)?;
                if text.len() as u64 == *length {
                    SafetensorsHeader::parse(text, file_bytes).map(Some)
                } else {
                    Ok(None)
                }
            }
        }
    }

    fn expecting(&self) -> String {
        match self {
            Self::Length(_) => format!("the header's length, {LENGTH_BYTES} bytes"),
            Self::Json(_, length) => header_of(*length),
        }
    }
}

/// Checks the announced length of a header before any of it is waited for.
fn check_length(length: u64, file_bytes: Option<u64>) -> Result<(), WeightsError> {
    // An empty object is the shortest header.
    if !(2..=MAX_HEADER_BYTES).contains(&length) {
        let expected = format!("2 to {MAX_HEADER_BYTES} bytes, as a safetensors file has");
        return Err(WeightsError::malformed(
            0,
            "the header's length",
            length,
            expected,
        ));
    }
    match file_bytes {
        Some(file_bytes) if file_bytes.saturating_sub(LENGTH_BYTES) < length => {
            Err(WeightsError::Truncated {
                offset: file_bytes,
                expected: header_of(length),
            })
        }
        _ => Ok(()),
    }
}

/// Checks the first byte, by the format a brace: something else is noticed without waiting for its
/// end.
fn check_start(text: &[u8]) -> Result<(), WeightsError> {
    match text.first() {
        None | Some(b'{') => Ok(()),
        Some(other) => {
            let found = format!("\"{}\"", other.escape_ascii());
            let what = "the header's first byte";
            Err(WeightsError::malformed(LENGTH_BYTES, what, found, "\"{\""))
        }
    }
}

fn header_of(length: u64) -> String {
    let end = LENGTH_BYTES.saturating_add(length);
    format!("the header, from byte {LENGTH_BYTES} to byte {end}")
}
