//! The tensor directory: which tensors a file holds, their shapes and types, and where their bytes are.

use super::cursor::{Cursor, Stop};
use super::{MAX_DIMENSIONS, MAX_TENSOR_NAME_BYTES};
use crate::weights::error::quoted;
use crate::weights::{BlockFormat, WeightsError};
use std::collections::BTreeMap;

/// One tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name, such as `blk.0.attn_q.weight`; each once in a file.
    pub name: String,
    /// Its 1 to 4 dimensions as the file has them, the one whose elements are neighbours **first**, none of them 0.
    pub dimensions: Vec<u64>,
    /// How its elements are stored. Blocks run along the first dimension, which they divide.
    pub format: BlockFormat,
    /// Where its bytes begin, from the start of the file.
    pub offset: u64,
    /// How many bytes it has.
    pub bytes: u64,
    entry: u64,
}

impl TensorInfo {
    /// Its shape as burn has it, the dimension whose elements are neighbours **last**.
    pub fn shape(&self) -> Vec<u64> {
        self.dimensions.iter().rev().copied().collect()
    }

    /// How many elements.
    pub fn elements(&self) -> u64 {
        // Can't overflow or be cut off: the product was checked when the entry was read.
        self.dimensions.iter().product()
    }

    /// Where its bytes end, from the start of the file.
    pub fn end(&self) -> u64 {
        // Can't overflow: checked when the tensor was placed.
        self.offset + self.bytes
    }

    /// Its name and place, for errors.
    pub(super) fn placed(&self) -> String {
        let (name, end) = (quoted(&self.name), self.end());
        format!("tensor {name}, from byte {} to byte {end}", self.offset)
    }

    /// Where its entry in the directory begins, from the start of the file, for errors about its shape or type.
    pub fn entry_offset(&self) -> u64 {
        self.entry
    }
}

/// All tensors of a file. No two of them share a name or a byte.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    tensors: Vec<TensorInfo>,
    by_name: BTreeMap<String, usize>,
    by_offset: Vec<usize>,
}

impl Directory {
    /// How many tensors.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// All of them, in the file's order of names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &TensorInfo> {
        self.tensors.iter()
    }

    /// The tensor at `index` of that order.
    pub fn get(&self, index: usize) -> Option<&TensorInfo> {
        self.tensors.get(index)
    }

    /// The index of the tensor of that name.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The tensor of that name.
    pub fn find(&self, name: &str) -> Option<&TensorInfo> {
        self.get(self.index_of(name)?)
    }

    /// The index of the tensor whose bytes come `nth` in the file.
    pub(super) fn in_file_order(&self, nth: usize) -> Option<usize> {
        self.by_offset.get(nth).copied()
    }

    /// Where the last tensor's bytes end; 0 without tensors.
    pub(super) fn end(&self) -> u64 {
        let last = self.by_offset.last().and_then(|&index| self.get(index));
        last.map_or(0, TensorInfo::end)
    }
}

/// A directory of which entries may still have to arrive. Offsets in it are still those of the file, from the start of
/// the tensors' bytes.
#[derive(Debug, Default)]
pub(super) struct PartialDirectory {
    tensors: Vec<TensorInfo>,
    by_name: BTreeMap<String, usize>,
}

impl PartialDirectory {
    pub(super) fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Reads the next entry and checks all of it that does not depend on other tensors' places.
    pub(super) fn read_entry(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        let entry = cursor.offset();
        let what = "a tensor's name";
        let name = cursor.string(what, MAX_TENSOR_NAME_BYTES)?;
        if name.is_empty() {
            return Err(WeightsError::malformed(entry, what, "empty", "a name").into());
        }
        if self.by_name.contains_key(name) {
            let expected = "each name once";
            return Err(WeightsError::malformed(entry, what, quoted(name), expected).into());
        }
        let dimensions = read_dimensions(cursor, name)?;
        let type_offset = cursor.offset();
        let id = cursor.u32("a tensor's type")?;
        let format = BlockFormat::from_ggml(id).map_err(|found| WeightsError::Unsupported {
            offset: type_offset,
            what: format!("the type of tensor {}", quoted(name)),
            found,
            supported: BlockFormat::names(),
        })?;
        let bytes = format.bytes_of(&dimensions).map_err(|expected| {
            let what = format!("the shape of tensor {}", quoted(name));
            let found = format!("{dimensions:?} of {}", format.name());
            WeightsError::malformed(entry, what, found, expected)
        })?;
        let offset = cursor.u64("a tensor's offset")?;
        self.by_name.insert(name.to_owned(), self.tensors.len());
        self.tensors.push(TensorInfo {
            name: name.to_owned(),
            dimensions,
            format,
            offset,
            bytes,
            entry,
        });
        Ok(())
    }

    /// Turns offsets into places in the file, and checks that each tensor is aligned, alone in its place, and inside a
    /// file of `file_bytes` (if that is known).
    pub(super) fn place(
        mut self,
        data_start: u64,
        alignment: u64,
        file_bytes: Option<u64>,
    ) -> Result<Directory, WeightsError> {
        for tensor in &mut self.tensors {
            let wrong = |found: String, expected: String| {
                let what = format!("the offset of tensor {}", quoted(&tensor.name));
                WeightsError::malformed(tensor.entry, what, found, expected)
            };
            if !tensor.offset.is_multiple_of(alignment) {
                let expected = format!("a multiple of the alignment, {alignment}");
                return Err(wrong(tensor.offset.to_string(), expected));
            }
            let start = data_start.checked_add(tensor.offset);
            let fits = start.filter(|start| start.checked_add(tensor.bytes).is_some());
            tensor.offset = fits.ok_or_else(|| {
                let expected = format!("one that leaves room for {} bytes", tensor.bytes);
                wrong(tensor.offset.to_string(), expected)
            })?;
        }
        let mut by_offset: Vec<usize> = (0..self.tensors.len()).collect();
        by_offset.sort_by_key(|&index| self.tensors.get(index).map(|tensor| tensor.offset));
        let directory = Directory {
            tensors: self.tensors,
            by_name: self.by_name,
            by_offset,
        };
        directory.check_overlap()?;
        directory.check_length(file_bytes)?;
        Ok(directory)
    }
}

impl Directory {
    fn check_overlap(&self) -> Result<(), WeightsError> {
        let mut in_order = self.by_offset.iter().filter_map(|&index| self.get(index));
        let Some(mut before) = in_order.next() else {
            return Ok(());
        };
        for tensor in in_order {
            if tensor.offset < before.end() {
                return Err(WeightsError::malformed(
                    tensor.entry,
                    format!("the offset of tensor {}", quoted(&tensor.name)),
                    format!("byte {} of the file", tensor.offset),
                    format!(
                        "byte {} or later, where tensor {} ends",
                        before.end(),
                        quoted(&before.name)
                    ),
                ));
            }
            before = tensor;
        }
        Ok(())
    }

    fn check_length(&self, file_bytes: Option<u64>) -> Result<(), WeightsError> {
        let mut in_order = self.by_offset.iter().filter_map(|&index| self.get(index));
        let file_bytes = file_bytes.unwrap_or(u64::MAX);
        match in_order.find(|tensor| tensor.end() > file_bytes) {
            None => Ok(()),
            Some(tensor) => Err(WeightsError::Truncated {
                offset: file_bytes,
                expected: tensor.placed(),
            }),
        }
    }
}

fn read_dimensions(cursor: &mut Cursor<'_>, name: &str) -> Result<Vec<u64>, Stop> {
    let offset = cursor.offset();
    let count = cursor.u32("a tensor's count of dimensions")?;
    if !(1..=MAX_DIMENSIONS).contains(&count) {
        let what = format!("the count of dimensions of tensor {}", quoted(name));
        let expected = format!("1 to {MAX_DIMENSIONS}");
        return Err(WeightsError::malformed(offset, what, count, expected).into());
    }
    (0..count)
        .map(|_| cursor.u64("a tensor's dimension"))
        .collect()
}
