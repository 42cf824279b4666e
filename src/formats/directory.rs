//! Tensor directory: a file's tensors, their shapes and types, and the places of their bytes.

use super::{BlockFormat, WeightsError};
use crate::quoted::quoted;
use std::collections::BTreeMap;

/// One tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name, such as `blk.0.attn_q.weight`; each once in a file.
    pub name: String,
    /// 1 to 4 dimensions, none of them 0, the one whose elements are neighbours **first**: as GGUF
    /// has them. Of a tensor that is not read, none.
    pub dimensions: Vec<u64>,
    /// Storage of its elements. Blocks run along the first dimension, which they divide. Of a
    /// tensor whose type or shape is not read, the error for those who need it.
    pub format: Result<BlockFormat, WeightsError>,
    /// Begin of its bytes, from the start of the file.
    pub offset: u64,
    /// Length in bytes.
    pub bytes: u64,
    pub(super) entry: u64,
}

impl TensorInfo {
    /// Shape as burn and safetensors have it, the dimension whose elements are neighbours **last**.
    pub fn shape(&self) -> Vec<u64> {
        self.dimensions.iter().rev().copied().collect()
    }

    /// Number of elements.
    pub fn elements(&self) -> u64 {
        // Can't overflow or be cut off: the product was checked when the entry was read.
        self.dimensions.iter().product()
    }

    /// End of its bytes, from the start of the file.
    pub fn end(&self) -> u64 {
        // Can't overflow: checked when the tensor was placed.
        self.offset + self.bytes
    }

    /// Name and place, for errors.
    pub(super) fn placed(&self) -> String {
        let (name, end) = (quoted(&self.name), self.end());
        format!("tensor {name}, from byte {} to byte {end}", self.offset)
    }

    /// Begin of its entry in the directory, from the start of the file, for errors about its shape
    /// or type.
    pub fn entry_offset(&self) -> u64 {
        self.entry
    }
}

/// All tensors of a file. No two share a name or a byte.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    tensors: Vec<TensorInfo>,
    by_name: BTreeMap<String, usize>,
    by_offset: Vec<usize>,
}

impl Directory {
    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// True if there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// All tensors, in the file's order of names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &TensorInfo> {
        self.tensors.iter()
    }

    /// The tensor at `index` in the file's order of names.
    pub fn get(&self, index: usize) -> Option<&TensorInfo> {
        self.tensors.get(index)
    }

    /// Index of the tensor called `name`.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The tensor called `name`.
    pub fn find(&self, name: &str) -> Option<&TensorInfo> {
        self.get(self.index_of(name)?)
    }

    /// Index of the tensor whose bytes come `nth` in the file.
    pub(super) fn in_file_order(&self, nth: usize) -> Option<usize> {
        self.by_offset.get(nth).copied()
    }

    /// End of the last tensor's bytes; 0 without tensors.
    pub(super) fn end(&self) -> u64 {
        let last = self.by_offset.last().and_then(|&index| self.get(index));
        last.map_or(0, TensorInfo::end)
    }
}

impl Directory {
    /// Adds a tensor whose name no other one has. Its place may change until the directory is
    /// complete.
    pub(super) fn add(&mut self, tensor: TensorInfo) {
        self.by_name.insert(tensor.name.clone(), self.tensors.len());
        self.tensors.push(tensor);
    }

    /// All tensors, to be placed: each must then end below 2^64.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut TensorInfo> {
        self.tensors.iter_mut()
    }

    /// Orders the tensors by place. Checks that each is alone in its place and inside a file of
    /// `file_bytes`, if that is known.
    pub(super) fn complete(mut self, file_bytes: Option<u64>) -> Result<Self, WeightsError> {
        // One without bytes has no place.
        let has_bytes = |index: &usize| self.get(*index).is_some_and(|tensor| tensor.bytes > 0);
        let mut by_offset: Vec<usize> = (0..self.tensors.len()).filter(has_bytes).collect();
        by_offset.sort_by_key(|&index| self.get(index).map(|tensor| tensor.offset));
        self.by_offset = by_offset;
        self.check_overlap()?;
        self.check_length(file_bytes)?;
        Ok(self)
    }

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
