//! A file that is there at once: in memory, or behind [`Read`].

use std::io::{ErrorKind, Read};
use std::sync::Arc;

use super::stream::{FileEvent, FileHeader, FileReader};
use super::{TensorInfo, WeightsError};

/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;

/// A whole file in memory.
#[derive(Debug, Clone)]
pub struct FileSlice<'a, H> {
    /// The header.
    pub header: Arc<H>,
    bytes: &'a [u8],
}

impl<'a, H: FileHeader> FileSlice<'a, H> {
    /// Reads the header of a file whose bytes are all in `bytes`.
    ///
    /// # Errors
    ///
    /// The header's, or that the bytes do not end where they may.
    pub fn new(bytes: &'a [u8]) -> Result<Self, WeightsError> {
        let mut reader = FileReader::<H>::new(Some(bytes.len() as u64));
        let mut input = bytes;
        match reader.push(&mut input)? {
            Some(FileEvent::Header(header)) => Ok(Self { header, bytes }),
            _ => Err(reader.finish().err().unwrap_or(WeightsError::Truncated {
                offset: bytes.len() as u64,
                expected: "a header".to_owned(),
            })),
        }
    }

    /// A tensor of this file and its bytes.
    pub fn tensor(&self, name: &str) -> Option<(&TensorInfo, &'a [u8])> {
        let tensor = self.header.tensors().find(name)?;
        let start = usize::try_from(tensor.offset).ok()?;
        let end = usize::try_from(tensor.end()).ok()?;
        Some((tensor, self.bytes.get(start..end)?))
    }
}

/// Reads a file from `source`, handing on each event. It ends with the last tensor where more may
/// follow, or else with `source`. `file_bytes` is the file's size, if known.
///
/// # Errors
///
/// The file's, [`WeightsError::Read`] where the source fails, or an error of `handle`.
pub(super) fn read_file<H: FileHeader, E: From<WeightsError>>(
    source: impl Read,
    file_bytes: Option<u64>,
    mut handle: impl FnMut(FileEvent<'_, H>) -> Result<(), E>,
) -> Result<(), E> {
    let mut reader = FileReader::<H>::new(file_bytes);
    let mut source = Source {
        inner: source,
        buffer: vec![0; CHUNK],
    };
    while !is_done(&reader) {
        let mut input = source.next_chunk(reader.position())?;
        if input.is_empty() {
            break;
        }
        while let Some(event) = reader.push(&mut input)? {
            handle(event)?;
        }
    }
    Ok(reader.finish()?)
}

/// True if nothing more is to be read.
fn is_done<H: FileHeader>(reader: &FileReader<H>) -> bool {
    let may_go_on = |header: &Arc<H>| header.too_long().is_none();
    reader.is_complete() && reader.header().is_some_and(may_go_on)
}

/// Reads chunks into one buffer.
struct Source<R> {
    inner: R,
    buffer: Vec<u8>,
}

impl<R: Read> Source<R> {
    /// The next bytes, those from `position` on; none at the end.
    fn next_chunk(&mut self, position: u64) -> Result<&[u8], WeightsError> {
        loop {
            match self.inner.read(&mut self.buffer) {
                Ok(count) => return Ok(self.buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(WeightsError::Read {
                        offset: position,
                        detail: error.to_string(),
                    });
                }
            }
        }
    }
}
