//! A model's folder as the Hugging Face hub has it.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::disk::{read, read_if_there, set, unreadable};
use super::tokenizer::TokenizerSource;
use crate::formats::WeightsError;
use crate::formats::safetensors::{SafetensorsFiles, SafetensorsIndex, shard_names};

const CONFIG: &str = "config.json";
const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// A model's folder: what it has beside the weights, and the files that those are in.
pub(super) struct Folder {
    /// `config.json`.
    pub config: Vec<u8>,
    /// Set of the weights' files.
    pub weights: SafetensorsFiles,
    /// The weights' files, in the order of that set.
    pub files: Vec<PathBuf>,
    pub tokenizer: TokenizerSource,
}

impl Folder {
    /// The model at `path`, a folder or a `.safetensors` file in one; `None` for another file, or
    /// without `config.json`.
    pub fn find(path: &Path) -> Result<Option<Self>, WeightsError> {
        let is_file = path.extension().is_some_and(|it| it == "safetensors") && path.is_file();
        let folder = match path.parent() {
            Some(parent) if is_file => parent,
            _ => path,
        };
        if !folder.is_dir() {
            return Ok(None);
        }
        let Some(config) = read_if_there(&folder.join(CONFIG))? else {
            return Ok(None);
        };
        let (weights, files) = if is_file {
            file_or_set(path)?
        } else {
            single_or_indexed(folder)?
        };
        let tokenizer = TokenizerSource::Json {
            tokenizer: read(&folder.join("tokenizer.json"))?,
            tokenizer_config: read_if_there(&folder.join("tokenizer_config.json"))?,
            chat_template: read_if_there(&folder.join("chat_template.jinja"))?,
            config: config.clone(),
            generation_config: read_if_there(&folder.join("generation_config.json"))?,
        };
        Ok(Some(Self {
            config,
            weights,
            files,
            tokenizer,
        }))
    }
}

/// The file, or all files of the numbered set that it is one of.
fn file_or_set(path: &Path) -> Result<(SafetensorsFiles, Vec<PathBuf>), WeightsError> {
    let files = set(path, shard_names);
    if files.len() > 1
        && let Some(index) = read_if_there(&path.with_file_name(INDEX))?
    {
        return indexed(path, &index);
    }
    Ok((SafetensorsFiles::new(files.len()), files))
}

/// The single file or those of an index, looked for in transformers' order.
fn single_or_indexed(folder: &Path) -> Result<(SafetensorsFiles, Vec<PathBuf>), WeightsError> {
    let single = folder.join(SINGLE);
    if single.is_file() {
        return Ok((SafetensorsFiles::new(1), vec![single]));
    }
    match read_if_there(&folder.join(INDEX))? {
        Some(index) => indexed(&single, &index),
        None => {
            let error =
                io::Error::new(ErrorKind::NotFound, format!("no such file, and no {INDEX}"));
            Err(unreadable(&single, 0, &error))
        }
    }
}

/// The files that an index names, beside `file`.
fn indexed(file: &Path, index: &[u8]) -> Result<(SafetensorsFiles, Vec<PathBuf>), WeightsError> {
    let index = SafetensorsIndex::parse(index)?;
    let names = index.files().iter();
    let files = names.map(|name| file.with_file_name(name)).collect();
    Ok((SafetensorsFiles::indexed(index), files))
}
