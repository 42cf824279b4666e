//! Header of a GGUF file from a stream, whose chunks may cut its items anywhere.

use super::cursor::Cursor;
use super::header::{GgufHeader, HeaderParser};
use crate::formats::stream::{FileHeader, HeaderReader, take};
use crate::formats::{Directory, WeightsError};

/// Bytes of a long chunk that are looked at together; what is looked at is copied.
const LOOKED_AT: usize = 64 << 10;

impl FileHeader for GgufHeader {
    type Reader = GgufHeaderReader;

    fn tensors(&self) -> &Directory {
        &self.tensors
    }

    fn too_long(&self) -> Option<WeightsError> {
        None
    }
}

/// Reads a header from chunks of any size.
#[derive(Debug, Default)]
pub struct GgufHeaderReader {
    parser: Box<HeaderParser>,
    /// Bytes that came, but not yet with all of the item that they begin.
    pending: Vec<u8>,
}

impl HeaderReader for GgufHeaderReader {
    type Header = GgufHeader;

    fn read(
        &mut self,
        input: &mut &[u8],
        position: &mut u64,
        file_bytes: Option<u64>,
    ) -> Result<Option<GgufHeader>, WeightsError> {
        let chunk = input.get(..LOOKED_AT).unwrap_or(*input);
        // Not below 0: the pending bytes are the last ones before the position.
        let start = position.saturating_sub(self.pending.len() as u64);
        self.pending.extend_from_slice(chunk);
        let mut cursor = Cursor::new(&self.pending, start, file_bytes);
        let header = self.parser.parse(&mut cursor)?;
        let parsed = cursor.consumed();
        if header.is_some() {
            // The header was not complete without this chunk, so its end lies in it.
            let end = start.saturating_add(parsed as u64);
            let rest = end.saturating_sub(*position);
            take(input, position, rest);
            self.pending = Vec::new();
        } else {
            self.pending.drain(..parsed);
            take(input, position, chunk.len() as u64);
        }
        Ok(header)
    }

    fn expecting(&self) -> String {
        self.parser.expecting()
    }
}
