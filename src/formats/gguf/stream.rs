//! A file as a stream: bytes in, in pieces of any size; the header and then the tensors' bytes out.

use super::cursor::Cursor;
use super::header::{GgufHeader, HeaderParser};
use crate::formats::WeightsError;
use crate::formats::data::{Piece, Progress, take};
use std::sync::Arc;

/// How much of a long piece is looked at together while the header is not complete; what is looked at is copied.
const HEADER_PIECE: usize = 64 << 10;

/// What has come out of the stream.
#[derive(Debug, Clone, PartialEq)]
pub enum GgufEvent<'a> {
    /// The header is complete and checked. Comes once, before any tensor.
    Header(Arc<GgufHeader>),
    /// Some bytes of a tensor. Those of one tensor come in order and without gaps, and the next tensor's after them.
    Tensor {
        /// The tensor's index in [`GgufHeader::tensors`].
        index: usize,
        /// Where in the tensor the bytes go.
        offset: u64,
        /// The bytes: a part of what was pushed, not a copy, and not cut at blocks.
        bytes: &'a [u8],
        /// Whether these are the tensor's last.
        last: bool,
    },
}

impl<'a> GgufEvent<'a> {
    fn tensor(piece: Piece<'a>) -> Self {
        Self::Tensor {
            index: piece.index,
            offset: piece.offset,
            bytes: piece.bytes,
            last: piece.last,
        }
    }
}

/// Reads a GGUF file from pieces of any size.
///
/// ```
/// # use kvscope::formats::{WeightsError, gguf::{GgufEvent, GgufReader}};
/// # fn load(pieces: Vec<Vec<u8>>) -> Result<(), WeightsError> {
/// let mut reader = GgufReader::new(None);
/// for piece in &pieces {
///     let mut input = piece.as_slice();
///     while let Some(event) = reader.push(&mut input)? {
///         match event {
///             GgufEvent::Header(header) => println!("{} tensors", header.tensors.len()),
///             GgufEvent::Tensor { index, offset, bytes, last } => { /* to the GPU */ }
///         }
///     }
/// }
/// reader.finish()
/// # }
/// ```
#[derive(Debug)]
pub struct GgufReader {
    file_bytes: Option<u64>,
    position: u64,
    state: State,
    failed: Option<WeightsError>,
}

#[derive(Debug)]
enum State {
    Header {
        parser: Box<HeaderParser>,
        /// Bytes that came, but not yet with all of the item that they begin.
        pending: Vec<u8>,
    },
    Data {
        header: Arc<GgufHeader>,
        progress: Progress,
    },
}

impl GgufReader {
    /// A reader at the start of a file of `file_bytes`. Knowing that lets it refuse a file that is too short for what it
    /// announces as soon as it announces it; `None` where the length is not known.
    pub fn new(file_bytes: Option<u64>) -> Self {
        Self {
            file_bytes,
            position: 0,
            state: State::Header {
                parser: Box::new(HeaderParser::new()),
                pending: Vec::new(),
            },
            failed: None,
        }
    }

    /// How many bytes of the file have been taken.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The header, once it is complete.
    pub fn header(&self) -> Option<&Arc<GgufHeader>> {
        match &self.state {
            State::Header { .. } => None,
            State::Data { header, .. } => Some(header),
        }
    }

    /// Whether all tensors have come. What a file has after them is ignored.
    pub fn is_complete(&self) -> bool {
        match &self.state {
            State::Header { .. } => false,
            State::Data { header, progress } => progress.awaited(&header.tensors).is_none(),
        }
    }

    /// Takes bytes from the front of `input` until there is something to tell; `None` when all of it is taken.
    ///
    /// # Errors
    /// What is wrong with the file, as soon as the bytes that show it have come. The same error from then on.
    pub fn push<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Option<GgufEvent<'a>>, WeightsError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let event = self.next_event(input);
        if let Err(error) = &event {
            self.failed = Some(error.clone());
        }
        event
    }

    /// Says that the file ends here.
    ///
    /// # Errors
    /// [`WeightsError::Truncated`] if something is missing, or the error that [`push`](Self::push) gave.
    pub fn finish(&self) -> Result<(), WeightsError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let expected = match &self.state {
            State::Header { parser, .. } => parser.expecting(),
            State::Data { header, progress } => match progress.awaited(&header.tensors) {
                None => return Ok(()),
                Some((_, tensor)) => tensor.placed(),
            },
        };
        Err(WeightsError::Truncated {
            offset: self.position,
            expected,
        })
    }

    fn next_event<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Option<GgufEvent<'a>>, WeightsError> {
        while !input.is_empty() {
            match &mut self.state {
                State::Header { parser, pending } => {
                    let piece = input.get(..HEADER_PIECE).unwrap_or(*input);
                    // Not below 0: the pending bytes are the last ones before the position.
                    let start = self.position.saturating_sub(pending.len() as u64);
                    pending.extend_from_slice(piece);
                    let mut cursor = Cursor::new(pending, start, self.file_bytes);
                    let header = parser.parse(&mut cursor)?;
                    let parsed = cursor.consumed();
                    let Some(header) = header else {
                        pending.drain(..parsed);
                        take(input, &mut self.position, piece.len() as u64);
                        continue;
                    };
                    // The header was not complete without this piece, so its end lies in it.
                    let end = start.saturating_add(parsed as u64);
                    let rest = end.saturating_sub(self.position);
                    take(input, &mut self.position, rest);
                    let header = Arc::new(header);
                    self.state = State::Data {
                        header: header.clone(),
                        progress: Progress::default(),
                    };
                    return Ok(Some(GgufEvent::Header(header)));
                }
                State::Data { header, progress } => {
                    let position = &mut self.position;
                    match progress.next_piece(&header.tensors, position, input) {
                        Some(piece) => return Ok(Some(GgufEvent::tensor(piece))),
                        None => take(input, position, u64::MAX),
                    };
                }
            }
        }
        Ok(None)
    }
}
