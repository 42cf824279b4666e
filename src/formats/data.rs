//! The part of a file after its header: the tensors' bytes, in the order of their places.

use super::{Directory, TensorInfo};

/// Some bytes of a tensor.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    pub(super) index: usize,
    pub(super) offset: u64,
    pub(super) bytes: &'a [u8],
    pub(super) last: bool,
}

/// How far reading has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// How many tensors are complete.
    complete: usize,
}

impl Progress {
    /// The tensor that comes next or is coming; `None` after the last one.
    pub(super) fn awaited<'d>(&self, directory: &'d Directory) -> Option<(usize, &'d TensorInfo)> {
        let index = directory.in_file_order(self.complete)?;
        Some((index, directory.get(index)?))
    }

    /// Takes bytes from the front of `input`, which is byte `position` of the file, until some belong to a tensor. `None`
    /// when all of them are taken, or all tensors have come.
    pub(super) fn next_piece<'a>(
        &mut self,
        directory: &Directory,
        position: &mut u64,
        input: &mut &'a [u8],
    ) -> Option<Piece<'a>> {
        let (index, tensor) = self.awaited(directory)?;
        let gap = tensor.offset.saturating_sub(*position);
        take(input, position, gap);
        let offset = position.checked_sub(tensor.offset)?;
        let bytes = take(input, position, tensor.bytes.saturating_sub(offset));
        if bytes.is_empty() {
            return None;
        }
        let last = offset + bytes.len() as u64 == tensor.bytes;
        self.complete += usize::from(last);
        Some(Piece {
            index,
            offset,
            bytes,
            last,
        })
    }
}

/// Takes at most `most` bytes off the front of `input`, and moves `position` by as many.
pub(super) fn take<'a>(input: &mut &'a [u8], position: &mut u64, most: u64) -> &'a [u8] {
    let count = usize::try_from(most).unwrap_or(usize::MAX);
    let (taken, rest) = input.split_at_checked(count).unwrap_or((input, &[]));
    *input = rest;
    *position = position.saturating_add(taken.len() as u64);
    taken
}
