//! A file that is there at once: in memory, or behind [`Read`].

use super::header::SafetensorsHeader;
use super::stream::{SafetensorsEvent, SafetensorsReader};
use crate::formats::source::Source;
use crate::formats::{TensorInfo, WeightsError};
use std::io::Read;
use std::sync::Arc;

/// A whole file in memory.
#[derive(Debug, Clone)]
pub struct SafetensorsSlice<'a> {
    /// The header.
    pub header: Arc<SafetensorsHeader>,
    bytes: &'a [u8],
}

impl<'a> SafetensorsSlice<'a> {
    /// Reads the header of a file whose bytes are all in `bytes`.
    ///
    /// # Errors
    /// What is wrong with the header, or that the bytes do not end where the last tensor does.
    pub fn new(bytes: &'a [u8]) -> Result<Self, WeightsError> {
        let mut reader = SafetensorsReader::new(Some(bytes.len() as u64));
        let mut input = bytes;
        match reader.push(&mut input)? {
            Some(SafetensorsEvent::Header(header)) => Ok(Self { header, bytes }),
            _ => Err(reader.finish().err().unwrap_or(WeightsError::Truncated {
                offset: bytes.len() as u64,
                expected: "a safetensors header".to_owned(),
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

/// Reads a file of `file_bytes` (if that is known) from `source` to its end, handing on each event.
///
/// # Errors
/// What is wrong with the file, [`WeightsError::Read`] where the source fails, or what `handle` gives.
pub fn read_safetensors<E: From<WeightsError>>(
    source: impl Read,
    file_bytes: Option<u64>,
    mut handle: impl FnMut(SafetensorsEvent<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut reader = SafetensorsReader::new(file_bytes);
    let mut source = Source::new(source);
    loop {
        let mut input = source.next_piece(reader.position())?;
        if input.is_empty() {
            return Ok(reader.finish()?);
        }
        while let Some(event) = reader.push(&mut input)? {
            handle(event)?;
        }
    }
}
