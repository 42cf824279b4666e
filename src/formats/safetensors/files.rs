//! Files of a model, one after the other.

use super::header::SafetensorsHeader;
use super::index::SafetensorsIndex;
use crate::formats::{TensorInfo, WeightsError, shards};
use crate::quoted::quoted;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names of all files of the set that `name` belongs to, itself included, such as
/// `model-00001-of-00002.safetensors`. `None` if it isn't named as one. A folder or an address
/// before the name is kept.
pub fn shard_names(name: &str) -> Option<Vec<String>> {
    shards::names(name, ".safetensors")
}

/// Headers of all files of a model, in order; a model in a single file is a set of one.
#[derive(Debug, Clone)]
pub struct SafetensorsFiles {
    count: usize,
    index: Option<SafetensorsIndex>,
    files: Vec<Arc<SafetensorsHeader>>,
    by_name: BTreeMap<String, usize>,
}

impl SafetensorsFiles {
    /// A set of `count` files without an index.
    pub fn new(count: usize) -> Self {
        Self {
            count,
            index: None,
            files: Vec::new(),
            by_name: BTreeMap::new(),
        }
    }

    /// The set of an index's files, to be added in the order of [`SafetensorsIndex::files`].
    pub fn indexed(index: SafetensorsIndex) -> Self {
        Self {
            count: index.files().len(),
            index: Some(index),
            ..Self::new(0)
        }
    }

    /// Adds the header of the next file.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Malformed`] if it is one too many, repeats another one's tensor, or has
    /// other tensors than the index says. The set is as it was.
    pub fn add(&mut self, header: Arc<SafetensorsHeader>) -> Result<(), WeightsError> {
        let file = self.files.len();
        if file >= self.count {
            let expected = format!("{} files", self.count);
            let found = format!("number {}", file.saturating_add(1));
            return Err(WeightsError::malformed(
                0,
                "a file of the model",
                found,
                expected,
            ));
        }
        if let Some(index) = &self.index {
            index.check(file, &header)?;
        }
        let known = |tensor: &&TensorInfo| self.by_name.contains_key(&tensor.name);
        if let Some(twice) = header.tensors.iter().find(known) {
            return Err(WeightsError::malformed(
                twice.entry_offset(),
                format!("a tensor's name in file {file}"),
                quoted(&twice.name),
                "a name that no file before it has",
            ));
        }
        let names = header
            .tensors
            .iter()
            .map(|tensor| (tensor.name.clone(), file));
        self.by_name.extend(names);
        self.files.push(header);
        Ok(())
    }

    /// Headers so far, in order.
    pub fn files(&self) -> &[Arc<SafetensorsHeader>] {
        &self.files
    }

    /// True if all files have been added.
    pub fn is_complete(&self) -> bool {
        self.files.len() == self.count
    }

    /// The tensor called `name`, and the number of the file that holds it, from 0.
    pub fn find(&self, name: &str) -> Option<(usize, &TensorInfo)> {
        let file = *self.by_name.get(name)?;
        Some((file, self.files.get(file)?.tensors.find(name)?))
    }

    /// Checks that all files are there.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Truncated`] without all files.
    pub fn finish(&self) -> Result<(), WeightsError> {
        if self.is_complete() {
            return Ok(());
        }
        Err(WeightsError::Truncated {
            offset: self.files.last().map_or(0, |file| file.file_bytes()),
            expected: format!("{} files, not {}", self.count, self.files.len()),
        })
    }
}
