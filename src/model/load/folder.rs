//! A model's folder in the Hugging Face hub's layout.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::files::{set, unreadable};
use super::tokenizer::TokenizerSource;
use crate::formats::WeightsError;
use crate::formats::safetensors::{SafetensorsFiles, SafetensorsIndex, shard_names};

/// Most bytes of a file that is held as a whole; tokenizers have some ten million.
const MAX_BYTES: u64 = 64 << 20;

const CONFIG: &str = "config.json";
const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// A folder's files: those beside the weights as bytes, the weights by name.
pub(super) struct Folder {
    /// `config.json`.
    pub config: Vec<u8>,
    /// The set of the weights' files.
    pub weights: SafetensorsFiles,
    /// The weights' files, in the order of that set.
    pub files: Vec<PathBuf>,
    pub tokenizer: TokenizerSource,
}

impl Folder {
    /// The model at `path`, a folder or a `.safetensors` file in one; `None` without `config.json`,
    /// or for any other file.
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
            config: read_if_there(&folder.join("tokenizer_config.json"))?,
            chat_template: read_if_there(&folder.join("chat_template.jinja"))?,
        };
        Ok(Some(Self {
            config,
            weights,
            files,
            tokenizer,
        }))
    }
}

/// The file, or all files of the numbered set that it belongs to.
fn file_or_set(path: &Path) -> Result<(SafetensorsFiles, Vec<PathBuf>), WeightsError> {
    let files = set(path, shard_names);
    if files.len() > 1
        && let Some(index) = read_if_there(&path.with_file_name(INDEX))?
    {
        return indexed(path, &index);
    }
    Ok((SafetensorsFiles::new(files.len()), files))
}

/// The single file, else the indexed ones: transformers' order.
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

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, WeightsError> {
    // None only if there is no such file: one that can't be read is an error.
    match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        _ => read(path).map(Some),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, WeightsError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| unreadable(path, 0, &error))?;
    if bytes.len() as u64 > MAX_BYTES {
        let what = path.display().to_string();
        let expected = format!("at most {MAX_BYTES} bytes");
        return Err(WeightsError::malformed(
            0,
            what,
            "longer than that",
            expected,
        ));
    }
    Ok(bytes)
}
