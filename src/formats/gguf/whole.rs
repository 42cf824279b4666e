//! A file that is there at once: in memory, or behind [`Read`].

use super::header::GgufHeader;
use super::stream::{GgufEvent, GgufReader};
use crate::formats::source::Source;
use crate::formats::{TensorInfo, WeightsError};
use std::io::Read;
use std::sync::Arc;

/// A whole file in memory.
#[derive(Debug, Clone)]
pub struct GgufSlice<'a> {
    /// The header.
    pub header: Arc<GgufHeader>,
    bytes: &'a [u8],
}

impl<'a> GgufSlice<'a> {
    /// Reads the header of a file whose bytes are all in `bytes`.
    ///
    /// # Errors
    /// What is wrong with the header, or that the bytes end before the last tensor does.
    pub fn new(bytes: &'a [u8]) -> Result<Self, WeightsError> {
        let mut reader = GgufReader::new(Some(bytes.len() as u64));
        let mut input = bytes;
        match reader.push(&mut input)? {
            Some(GgufEvent::Header(header)) => Ok(Self { header, bytes }),
            _ => Err(reader.finish().err().unwrap_or(WeightsError::Truncated {
                offset: bytes.len() as u64,
                expected: "a GGUF header".to_owned(),
            })),
        }
    }

    /// A tensor of this file and its bytes.
    pub fn tensor(&self, name: &str) -> Option<(&TensorInfo, &'a [u8])> {
        let tensor = self.header.tensors.find(name)?;
        let start = usize::try_from(tensor.offset).ok()?;
        let end = usize::try_from(tensor.end()).ok()?;
        Some((tensor, self.bytes.get(start..end)?))
    }
}

/// Reads a file of `file_bytes` (if that is known) from `source` to the end of its last tensor, handing on each event.
///
/// # Errors
/// What is wrong with the file, [`WeightsError::Read`] where the source fails, or what `handle` gives.
pub fn read_gguf<E: From<WeightsError>>(
    source: impl Read,
    file_bytes: Option<u64>,
    mut handle: impl FnMut(GgufEvent<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut reader = GgufReader::new(file_bytes);
    let mut source = Source::new(source);
    while !reader.is_complete() {
        let mut input = source.next_piece(reader.position())?;
        if input.is_empty() {
            break;
        }
        while let Some(event) = reader.push(&mut input)? {
            handle(event)?;
        }
    }
    Ok(reader.finish()?)
}
