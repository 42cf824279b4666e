//! `model.safetensors.index.json`: the files of a model's tensors.

use super::header::SafetensorsHeader;
use super::json::{Strings, malformed, utf8};
use super::{LENGTH_BYTES, MAX_HEADER_BYTES};
use crate::formats::WeightsError;
use crate::quoted::quoted;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Index of a model in several files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafetensorsIndex {
    files: Vec<String>,
    /// Numbers of files by names of tensors.
    weight_map: BTreeMap<String, usize>,
}

/// Index as it is written. Other members, such as the total size, are passed over.
#[derive(Deserialize)]
struct Written {
    weight_map: Strings,
}

impl SafetensorsIndex {
    /// Reads an index from its JSON.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Malformed`] if it is not one, names a tensor twice, or names a file by more
    /// than its plain name. An index must not lead to other places than its own folder. Offsets are
    /// those of the JSON.
    pub fn parse(json: &[u8]) -> Result<Self, WeightsError> {
        let what = "the index";
        let length = json.len() as u64;
        if length > MAX_HEADER_BYTES {
            let found = format!("{length} bytes long");
            let expected = format!("at most {MAX_HEADER_BYTES} bytes");
            return Err(WeightsError::malformed(0, what, found, expected));
        }
        let text = utf8(json, 0, what)?;
        let written: Written = serde_json::from_str(text).map_err(|error| {
            let expected = "an object whose `weight_map` names each tensor once, with its file";
            malformed(&error, text, 0, what, expected)
        })?;
        let Strings(names) = written.weight_map;
        let distinct: BTreeSet<&String> = names.values().collect();
        if let Some(file) = distinct.iter().find(|file| !is_plain(file)) {
            let expected = "a plain name that ends in .safetensors";
            let what = "a file's name in the index";
            return Err(WeightsError::malformed(0, what, quoted(file), expected));
        }
        let files: Vec<String> = distinct.into_iter().cloned().collect();
        let numbers: BTreeMap<&str, usize> = files
            .iter()
            .enumerate()
            .map(|(number, file)| (file.as_str(), number))
            .collect();
        let weight_map = names
            .into_iter()
            .filter_map(|(tensor, file)| Some((tensor, *numbers.get(file.as_str())?)));
        Ok(Self {
            weight_map: weight_map.collect(),
            files,
        })
    }

    /// Names of the model's files, each once, in order.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// Tensors of all files together.
    pub fn tensors(&self) -> usize {
        self.weight_map.len()
    }

    /// Number of the file, in [`files`](Self::files), that should hold a tensor.
    pub fn file_of(&self, tensor: &str) -> Option<usize> {
        self.weight_map.get(tensor).copied()
    }

    /// Checks that file number `file` holds the tensors that it should, and none of another's. If
    /// all files do, then every tensor of the index is there, and once.
    ///
    /// A file may hold tensors that the index does not name. It may have a tensor under another's
    /// name, if its metadata says so.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Malformed`] with a tensor that is missing or in the wrong place; the offset
    /// is in that file.
    pub fn check(&self, file: usize, header: &SafetensorsHeader) -> Result<(), WeightsError> {
        let name = |file: usize| {
            self.files
                .get(file)
                .map_or_else(String::new, |name| quoted(name))
        };
        for tensor in header.tensors.iter() {
            let indexed = self.file_of(&tensor.name);
            if let Some(other) = indexed.filter(|&other| other != file) {
                return Err(WeightsError::malformed(
                    tensor.entry_offset(),
                    format!("the place of tensor {}", quoted(&tensor.name)),
                    format!("file {}", name(file)),
                    format!("file {}, as the index says", name(other)),
                ));
            }
        }
        let is_there = |tensor: &str| {
            let alias = header.metadata.get(tensor);
            let is_stored = |name: &str| header.tensors.find(name).is_some();
            is_stored(tensor) || alias.is_some_and(|kept| is_stored(kept))
        };
        let mut indexed = self
            .weight_map
            .iter()
            .filter(|&(_, &number)| number == file);
        match indexed.find(|(tensor, _)| !is_there(tensor)) {
            None => Ok(()),
            Some((tensor, _)) => Err(WeightsError::malformed(
                LENGTH_BYTES,
                format!("the header of file {}", name(file)),
                format!("without tensor {}", quoted(tensor)),
                "that tensor, as the index says",
            )),
        }
    }
}

/// True if a file's name is only that: no folder, no address, nothing special to a shell or a URL.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let stem = name.strip_suffix(".safetensors");
    stem.is_some_and(|stem| !stem.is_empty()) && !name.starts_with('.') && name.bytes().all(plain)
}
