//! A file behind [`Read`], piece by piece.

use super::WeightsError;
use std::io::{ErrorKind, Read};

/// How much is read at once.
const PIECE: usize = 256 << 10;

/// Reads pieces into one buffer.
pub(super) struct Source<R> {
    inner: R,
    buffer: Vec<u8>,
}

impl<R: Read> Source<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            buffer: vec![0; PIECE],
        }
    }

    /// The next bytes, those from `position` on; none at the end.
    pub(super) fn next_piece(&mut self, position: u64) -> Result<&[u8], WeightsError> {
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
