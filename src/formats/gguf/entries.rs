//! Tensor directory as GGUF writes it, read as its entries arrive.

use super::cursor::{Cursor, Stop};
use super::{MAX_DIMENSIONS, MAX_TENSOR_NAME_BYTES};
use crate::formats::{BlockFormat, Directory, TensorInfo, WeightsError};
use crate::quoted::quoted;

/// A directory, some entries of which may still have to arrive. Offsets in it are still those of
/// the file, from the start of the tensors' bytes.
#[derive(Debug, Default)]
pub(super) struct PartialDirectory {
    directory: Directory,
}

impl PartialDirectory {
    pub(super) fn len(&self) -> usize {
        self.directory.len()
    }

    /// Reads the next entry and checks all of it that does not depend on other tensors' places.
    pub(super) fn read_entry(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        let entry = cursor.offset();
        let what = "a tensor's name";
        let name = cursor.string(what, MAX_TENSOR_NAME_BYTES)?;
        if name.is_empty() {
            return Err(WeightsError::malformed(entry, what, "empty", "a name").into());
        }
        if self.directory.index_of(name).is_some() {
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
        self.directory.add(TensorInfo {
            name: name.to_owned(),
            dimensions,
            format: Ok(format),
            offset,
            bytes,
            entry,
        });
        Ok(())
    }

    /// Turns offsets into places in the file. Checks that each tensor is aligned, alone in its
    /// place, and inside a file of `file_bytes`, if that is known.
    pub(super) fn place(
        mut self,
        data_start: u64,
        alignment: u64,
        file_bytes: Option<u64>,
    ) -> Result<Directory, WeightsError> {
        for tensor in self.directory.iter_mut() {
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
        self.directory.complete(file_bytes)
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
