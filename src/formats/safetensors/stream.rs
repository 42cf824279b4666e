//! A file as a stream: bytes in, in pieces of any size; the header and then the tensors' bytes out.

use super::header::SafetensorsHeader;
use super::{LENGTH_BYTES, MAX_HEADER_BYTES};
use crate::formats::WeightsError;
use crate::formats::data::{Piece, Progress, take};
use std::sync::Arc;

/// What has come out of the stream.
#[derive(Debug, Clone, PartialEq)]
pub enum SafetensorsEvent<'a> {
    /// The header is complete and checked. Comes once, before any tensor.
    Header(Arc<SafetensorsHeader>),
    /// Some bytes of a tensor. Those of one tensor come in order and without gaps, and the next tensor's after them.
    Tensor {
        /// The tensor's index in [`SafetensorsHeader::tensors`].
        index: usize,
        /// Where in the tensor the bytes go.
        offset: u64,
        /// The bytes: a part of what was pushed, not a copy, and not cut at elements.
        bytes: &'a [u8],
        /// Whether these are the tensor's last.
        last: bool,
    },
}

impl<'a> SafetensorsEvent<'a> {
    fn tensor(piece: Piece<'a>) -> Self {
        Self::Tensor {
            index: piece.index,
            offset: piece.offset,
            bytes: piece.bytes,
            last: piece.last,
        }
    }
}

/// Reads a safetensors file from pieces of any size, as [`GgufReader`](crate::formats::gguf::GgufReader) does GGUF.
///
/// ```
/// # use kvscope::formats::{WeightsError, safetensors::{SafetensorsEvent, SafetensorsReader}};
/// # fn load(pieces: Vec<Vec<u8>>) -> Result<(), WeightsError> {
/// let mut reader = SafetensorsReader::new(None);
/// for piece in &pieces {
///     let mut input = piece.as_slice();
///     while let Some(event) = reader.push(&mut input)? {
///         match event {
///             SafetensorsEvent::Header(header) => println!("{} tensors", header.tensors.len()),
///             SafetensorsEvent::Tensor { index, offset, bytes, last } => { /* to the GPU */ }
///         }
///     }
/// }
/// reader.finish()
/// # }
/// ```
#[derive(Debug)]
pub struct SafetensorsReader {
    file_bytes: Option<u64>,
    position: u64,
    state: State,
    failed: Option<WeightsError>,
}

#[derive(Debug)]
enum State {
    Length(Vec<u8>),
    Header {
        /// What has come of the header's JSON, and the length it will have.
        text: Vec<u8>,
        length: u64,
    },
    Data {
        header: Arc<SafetensorsHeader>,
        progress: Progress,
    },
}

impl SafetensorsReader {
    /// A reader at the start of a file of `file_bytes`. Knowing that lets it refuse a file whose length is not what it
    /// announces as soon as it announces it; `None` where the length is not known.
    pub fn new(file_bytes: Option<u64>) -> Self {
        Self {
            file_bytes,
            position: 0,
            state: State::Length(Vec::new()),
            failed: None,
        }
    }

    /// How many bytes of the file have been taken.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The header, once it is complete.
    pub fn header(&self) -> Option<&Arc<SafetensorsHeader>> {
        match &self.state {
            State::Length(_) | State::Header { .. } => None,
            State::Data { header, .. } => Some(header),
        }
    }

    /// Whether all tensors have come. The file must then end.
    pub fn is_complete(&self) -> bool {
        match &self.state {
            State::Length(_) | State::Header { .. } => false,
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
    ) -> Result<Option<SafetensorsEvent<'a>>, WeightsError> {
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
            State::Length(_) => format!("the header's length, {LENGTH_BYTES} bytes"),
            State::Header { length, .. } => header_of(*length),
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
    ) -> Result<Option<SafetensorsEvent<'a>>, WeightsError> {
        while !input.is_empty() {
            let position = &mut self.position;
            match &mut self.state {
                State::Length(came) => {
                    let missing = LENGTH_BYTES.saturating_sub(came.len() as u64);
                    came.extend_from_slice(take(input, position, missing));
                    if let Ok(length) = came.as_slice().try_into() {
                        let length = u64::from_le_bytes(length);
                        check_length(length, self.file_bytes)?;
                        let text = Vec::new();
                        self.state = State::Header { text, length };
                    }
                }
                State::Header { text, length } => {
                    let missing = length.saturating_sub(text.len() as u64);
                    text.extend_from_slice(take(input, position, missing));
                    check_start(text)?;
                    if text.len() as u64 == *length {
                        let header = SafetensorsHeader::parse(text, self.file_bytes)?;
                        let header = Arc::new(header);
                        self.state = State::Data {
                            header: header.clone(),
                            progress: Progress::default(),
                        };
                        return Ok(Some(SafetensorsEvent::Header(header)));
                    }
                }
                State::Data { header, progress } => {
                    if let Some(piece) = progress.next_piece(&header.tensors, position, input) {
                        return Ok(Some(SafetensorsEvent::tensor(piece)));
                    }
                    if !input.is_empty() {
                        return Err(header.too_long());
                    }
                }
            }
        }
        Ok(None)
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

/// By the format a header begins with a brace, so that something else is noticed without waiting for its end.
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
