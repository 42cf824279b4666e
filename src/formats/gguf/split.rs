//! A model in several files, as `gguf-split` makes them: `name-00001-of-00003.gguf` and so on.

use super::header::GgufHeader;
use super::metadata::Metadata;
use crate::formats::{TensorInfo, WeightsError, shards};
use crate::quoted::quoted;
use std::collections::BTreeSet;
use std::sync::Arc;

const NUMBER: &str = "split.no";
const COUNT: &str = "split.count";
const TENSORS: &str = "split.tensors.count";

/// Place of a file in the set of files that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// Number of the file, from 0.
    pub number: u16,
    /// Files in the set, at least 1.
    pub count: u16,
    /// Tensors in all files together, where the file says so.
    pub tensors: Option<u64>,
}

impl Split {
    /// Reads a file's metadata; a file that says nothing is the only one.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Malformed`] for numbers that cannot be.
    pub fn from_metadata(metadata: &Metadata) -> Result<Self, WeightsError> {
        let small = |key| match metadata.unsigned(key)? {
            None => Ok(None),
            Some(number) => match u16::try_from(number) {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(metadata.unfit(key, number, "at most 65535")),
            },
        };
        let tensors = metadata.unsigned(TENSORS)?;
        // A file that was never split may still carry a count of 0.
        let count = small(COUNT)?.unwrap_or(0).max(1);
        let number = small(NUMBER)?.unwrap_or(0);
        if number >= count {
            let expected = format!("below {COUNT}, {count}");
            return Err(metadata.unfit(NUMBER, number, expected));
        }
        Ok(Self {
            number,
            count,
            tensors,
        })
    }
}

/// Names of all files of the set that `name` belongs to, itself included; `None` if it isn't named
/// as one. A folder or an address before the name is kept.
pub fn split_names(name: &str) -> Option<Vec<String>> {
    shards::names(name, ".gguf")
}

/// Headers of all files of a model, in order; a model in a single file is a set of one.
#[derive(Debug, Clone, Default)]
pub struct SplitFiles {
    files: Vec<Arc<GgufHeader>>,
    names: BTreeSet<String>,
    split: Option<Split>,
}

impl SplitFiles {
    /// A set without files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the header of the next file.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Malformed`] if the file is not the next one of this set, or holds a tensor
    /// that another one holds. The set is as it was.
    pub fn add(&mut self, header: Arc<GgufHeader>) -> Result<(), WeightsError> {
        let metadata = &header.metadata;
        let split = Split::from_metadata(metadata)?;
        let first = self.split.unwrap_or(split);
        if split.count != first.count {
            return Err(metadata.unfit(COUNT, split.count, first.count.to_string()));
        }
        if usize::from(split.number) != self.files.len() {
            let expected = format!("{}, the next file", self.files.len());
            return Err(metadata.unfit(NUMBER, split.number, expected));
        }
        if split.tensors.is_some() && split.tensors != first.tensors {
            let found = split.tensors.unwrap_or_default();
            let expected = format!("as in the first file, {:?}", first.tensors);
            return Err(metadata.unfit(TENSORS, found, expected));
        }
        if let Some(twice) = header.tensors.iter().find(|t| self.names.contains(&t.name)) {
            return Err(WeightsError::malformed(
                twice.entry_offset(),
                format!("a tensor's name in file {}", split.number),
                quoted(&twice.name),
                "a name that no file before it has",
            ));
        }
        let names = header.tensors.iter().map(|tensor| tensor.name.clone());
        self.names.extend(names);
        self.split = Some(first);
        self.files.push(header);
        Ok(())
    }

    /// Headers so far, in order.
    pub fn files(&self) -> &[Arc<GgufHeader>] {
        &self.files
    }

    /// Metadata of the model, which is that of the first file.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.files.first().map(|header| &header.metadata)
    }

    /// True if all files have been added.
    pub fn is_complete(&self) -> bool {
        self.split
            .is_some_and(|split| self.files.len() == usize::from(split.count))
    }

    /// The tensor called `name`, and the number of the file that holds it, from 0.
    pub fn find(&self, name: &str) -> Option<(usize, &TensorInfo)> {
        let mut files = self.files.iter().enumerate();
        files.find_map(|(file, header)| Some((file, header.tensors.find(name)?)))
    }

    /// Checks that all files and all tensors are there.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Truncated`] without all files, [`WeightsError::Malformed`] if the tensors
    /// are not as many as the first file says.
    pub fn finish(&self) -> Result<(), WeightsError> {
        let Some(split) = self.split.filter(|_| self.is_complete()) else {
            let count = self.split.map_or(1, |split| split.count);
            return Err(WeightsError::Truncated {
                offset: self.files.last().map_or(0, |file| file.file_bytes()),
                expected: format!("{count} files, not {}", self.files.len()),
            });
        };
        match (split.tensors, self.metadata()) {
            (Some(tensors), Some(metadata)) if tensors != self.names.len() as u64 => {
                let expected = format!("{}, as many as the files hold", self.names.len());
                Err(metadata.unfit(TENSORS, tensors, expected))
            }
            _ => Ok(()),
        }
    }
}
