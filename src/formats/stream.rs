//! A file as a stream: bytes in, in chunks of any size; its header, then its tensors' bytes out.
//!
//! Both formats of files share this. [`FileHeader`] is a format's own part: its header, the
//! header's reader, and the rule for bytes after the last tensor.

use std::fmt::Debug;
use std::sync::Arc;

use super::{Directory, TensorInfo, WeightsError};

/// Header of a format of files.
pub trait FileHeader: Debug + Sized {
    /// Reads such a header.
    type Reader: HeaderReader<Header = Self>;

    /// The tensors' names, shapes, types and places.
    fn tensors(&self) -> &Directory;

    /// The error of a file that goes on after its last tensor; `None` where the rest is ignored.
    fn too_long(&self) -> Option<WeightsError>;
}

/// Reads a header as its bytes arrive.
pub trait HeaderReader: Debug + Default {
    /// The header that is read.
    type Header;

    /// Takes bytes off the front of `input`, which is at byte `position` of the file, and moves
    /// `position` past them. `file_bytes` is the file's size, if known. The header, once complete.
    fn read(
        &mut self,
        input: &mut &[u8],
        position: &mut u64,
        file_bytes: Option<u64>,
    ) -> Result<Option<Self::Header>, WeightsError>;

    /// The next thing that the header should have, for a file that ends too early.
    fn expecting(&self) -> String;
}

/// Output of a stream.
#[derive(Debug, Clone, PartialEq)]
pub enum FileEvent<'a, H> {
    /// The header is complete and checked. Comes once, before any tensor.
    Header(Arc<H>),
    /// Some bytes of a tensor. Those of one tensor come in order and without gaps, and the next
    /// tensor's after them.
    Tensor {
        /// The tensor's index in the header's directory.
        index: usize,
        /// Place of the bytes in the tensor.
        offset: u64,
        /// The bytes: a part of what was pushed, not a copy, and not cut at elements or blocks.
        bytes: &'a [u8],
        /// True if these are the tensor's last.
        last: bool,
    },
}

/// Reads a file from chunks of any size.
#[derive(Debug)]
pub struct FileReader<H: FileHeader> {
    file_bytes: Option<u64>,
    position: u64,
    state: State<H>,
    failed: Option<WeightsError>,
}

#[derive(Debug)]
enum State<H: FileHeader> {
    Header(H::Reader),
    Tensors {
        header: Arc<H>,
        /// Tensors that are complete.
        complete: usize,
    },
}

impl<H: FileHeader> FileReader<H> {
    /// A reader at the start of a file of `file_bytes`, `None` where its length is not known. A
    /// known length lets it refuse a file as soon as that announces another one.
    pub fn new(file_bytes: Option<u64>) -> Self {
        Self {
            file_bytes,
            position: 0,
            state: State::Header(H::Reader::default()),
            failed: None,
        }
    }

    /// Bytes of the file that have been taken.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The header, once it is complete.
    pub fn header(&self) -> Option<&Arc<H>> {
        match &self.state {
            State::Header(_) => None,
            State::Tensors { header, .. } => Some(header),
        }
    }

    /// True if all tensors have come. [`FileHeader::too_long`] says whether more may follow.
    pub fn is_complete(&self) -> bool {
        match &self.state {
            State::Header(_) => false,
            State::Tensors { header, complete } => awaited(header.tensors(), *complete).is_none(),
        }
    }

    /// Takes bytes from the front of `input` until there is something to tell; `None` when all of
    /// it is taken.
    ///
    /// # Errors
    ///
    /// The file's, as soon as the bytes that show it have come. The same error from then on.
    pub fn push<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Option<FileEvent<'a, H>>, WeightsError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let event = self.next_event(input);
        if let Err(error) = &event {
            self.failed = Some(error.clone());
        }
        event
    }

    /// Checks that the file may end here.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Truncated`] if something is missing, or the error that
    /// [`push`](Self::push) gave.
    pub fn finish(&self) -> Result<(), WeightsError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let expected = match &self.state {
            State::Header(reader) => reader.expecting(),
            State::Tensors { header, complete } => match awaited(header.tensors(), *complete) {
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
    ) -> Result<Option<FileEvent<'a, H>>, WeightsError> {
        let position = &mut self.position;
        while !input.is_empty() {
            match &mut self.state {
                State::Header(reader) => {
                    let Some(header) = reader.read(input, position, self.file_bytes)? else {
                        continue;
                    };
                    let header = Arc::new(header);
                    self.state = State::Tensors {
                        header: header.clone(),
                        complete: 0,
                    };
                    return Ok(Some(FileEvent::Header(header)));
                }
                State::Tensors { header, complete } => {
                    let event = next_tensor(header.tensors(), complete, position, input);
                    if event.is_some() {
                        return Ok(event);
                    }
                    if !input.is_empty() {
                        header.too_long().map_or(Ok(()), Err)?;
                        take(input, position, u64::MAX);
                    }
                }
            }
        }
        Ok(None)
    }
}

/// The tensor that comes after `complete` others; `None` after the last one.
fn awaited(tensors: &Directory, complete: usize) -> Option<(usize, &TensorInfo)> {
    let index = tensors.in_file_order(complete)?;
    Some((index, tensors.get(index)?))
}

/// Takes bytes from the front of `input`, which is byte `position` of the file, until some belong
/// to a tensor. `None` when all of them are taken, or all tensors have come.
fn next_tensor<'a, H>(
    tensors: &Directory,
    complete: &mut usize,
    position: &mut u64,
    input: &mut &'a [u8],
) -> Option<FileEvent<'a, H>> {
    let (index, tensor) = awaited(tensors, *complete)?;
    let gap = tensor.offset.saturating_sub(*position);
    take(input, position, gap);
    let offset = position.checked_sub(tensor.offset)?;
    let bytes = take(input, position, tensor.bytes.saturating_sub(offset));
    if bytes.is_empty() {
        return None;
    }
    let last = offset + bytes.len() as u64 == tensor.bytes;
    *complete += usize::from(last);
    Some(FileEvent::Tensor {
        index,
        offset,
        bytes,
        last,
    })
}

/// Takes at most `most` bytes off the front of `input`, and moves `position` by as many.
pub(super) fn take<'a>(input: &mut &'a [u8], position: &mut u64, most: u64) -> &'a [u8] {
    let count = usize::try_from(most).unwrap_or(usize::MAX);
    let (taken, rest) = input.split_at_checked(count).unwrap_or((input, &[]));
    *input = rest;
    *position = position.saturating_add(taken.len() as u64);
    taken
}
