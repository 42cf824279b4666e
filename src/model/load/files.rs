//! A model from files on disk.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;

use super::super::llama::Llama;
use super::loader::ModelLoader;
use super::progress::LoadProgress;
use crate::Error;
use crate::weights::WeightsError;
use crate::weights::gguf::{GgufHeader, split_names};

/// How much is read at once.
const PIECE: usize = 1 << 20;

/// A model from GGUF files, and what else they say.
#[derive(Debug)]
pub struct LoadedGguf {
    /// The model.
    pub model: Llama,
    /// The first file's header: tokenizer and chat template are in its metadata.
    pub header: Arc<GgufHeader>,
}

/// All files of the model that `path` belongs to, in order: itself, or the set that its name says it is one of.
pub fn gguf_files(path: &Path) -> Vec<PathBuf> {
    let names = path.to_str().and_then(split_names);
    names.map_or_else(
        || vec![path.to_owned()],
        |names| names.into_iter().map(PathBuf::from).collect(),
    )
}

/// Loads a model from its GGUF files, in order, telling `progress` after each piece.
///
/// # Errors
///
/// [`WeightsError::Read`] for files that can't be read, or what is wrong with them.
pub fn load_gguf_files(
    files: &[PathBuf],
    device: &Device,
    mut progress: impl FnMut(LoadProgress),
) -> Result<LoadedGguf, Error> {
    let mut loader = ModelLoader::gguf(device.clone());
    let mut buffer = vec![0; PIECE];
    for path in files {
        let unreadable = |offset, error: std::io::Error| WeightsError::Read {
            offset,
            detail: format!("{}: {error}", path.display()),
        };
        let mut file = File::open(path).map_err(|error| unreadable(0, error))?;
        let bytes = file.metadata().map_err(|error| unreadable(0, error))?.len();
        loader.begin_file(Some(bytes));
        loop {
            let count = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    return Err(unreadable(loader.progress().read_bytes, error).into());
                }
            };
            loader.push(buffer.get(..count).unwrap_or_default())?;
            progress(loader.progress());
        }
        loader.end_file()?;
    }
    let header = loader.header().cloned();
    let model = loader.finish()?;
    let header = header.ok_or_else(|| WeightsError::Truncated {
        offset: 0,
        expected: "a GGUF file".to_owned(),
    })?;
    Ok(LoadedGguf { model, header })
}
