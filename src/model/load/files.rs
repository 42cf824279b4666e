//! Loading a model from disk.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::tensor::Device;

use super::super::error::ModelError;
use super::super::llama::Llama;
use super::folder::Folder;
use super::loader::ModelLoader;
use super::tokenizer::TokenizerSource;
use crate::Error;
use crate::formats::WeightsError;
use crate::formats::gguf::split_names;
use crate::text::{TextError, Tokenizer};

/// Bytes per read.
const PIECE: usize = 1 << 20;

/// A model from disk, and the source of its tokenizer.
#[derive(Debug)]
pub struct LoadedModel {
    /// The model.
    pub model: Llama,
    tokenizer: TokenizerSource,
}

impl LoadedModel {
    /// The tokenizer that came with the model.
    ///
    /// # Errors
    ///
    /// [`TextError`] for a tokenizer that can't be used.
    pub fn tokenizer(&self) -> Result<Tokenizer, TextError> {
        self.tokenizer.tokenizer()
    }
}

/// Loads a model from disk; [`Engine::open`](crate::engine::Engine::open) also makes it ready to
/// generate. `path` is one of
///
/// - a GGUF file of any name; of a model split into several, any one under the names that
///   `gguf-split` gives;
/// - a folder with `config.json`, `tokenizer.json` and the weights as Hugging Face has them:
///   `model.safetensors`, or `model.safetensors.index.json` and the files that it names;
///   `tokenizer_config.json` and `chat_template.jinja` are read if they exist;
/// - one `.safetensors` file of such a folder; of a numbered set, any one.
///
/// Refuses tensors that need more than `binding_bytes` in one binding, the device's
/// `maxStorageBufferBindingSize`. After each piece of 1 MiB, `progress` is told the bytes read and
/// the bytes of all files; where it breaks, the load ends.
///
/// # Errors
///
/// [`ModelError::NotAModel`], [`ModelError::Cancelled`], [`WeightsError::Read`] for files that
/// can't be read, and the errors of their content.
pub fn load_model(
    path: &Path,
    device: &Device,
    binding_bytes: u64,
    progress: impl FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<LoadedModel, Error> {
    let device = device.clone();
    if let Some(folder) = Folder::find(path)? {
        let Folder {
            config,
            weights,
            files,
            tokenizer,
        } = folder;
        let mut loader =
            ModelLoader::safetensors(&config, weights, device)?.with_binding_bytes(binding_bytes);
        push(&mut loader, &files, progress)?;
        let model = loader.finish()?;
        return Ok(LoadedModel { model, tokenizer });
    }
    if !is_gguf(path)? {
        let path = path.display().to_string();
        return Err(ModelError::NotAModel { path }.into());
    }
    let mut loader = ModelLoader::gguf(device).with_binding_bytes(binding_bytes);
    push(&mut loader, &set(path, split_names), progress)?;
    let tokenizer = TokenizerSource::Gguf(loader.gguf_header()?);
    let model = loader.finish()?;
    Ok(LoadedModel { model, tokenizer })
}

/// True for a GGUF file, by its name or its first bytes: some programs' caches use other names.
fn is_gguf(path: &Path) -> Result<bool, WeightsError> {
    let unreadable = |error| unreadable(path, 0, &error);
    if fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(false);
    }
    if path.extension().is_some_and(|it| it == "gguf") {
        return Ok(true);
    }
    let mut magic = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(4).read_to_end(&mut magic).map_err(unreadable)?;
    Ok(magic == b"GGUF")
}

/// All files of the set that `path` belongs to by its name, in order; `path` if it belongs to none.
pub(super) fn set(path: &Path, names: fn(&str) -> Option<Vec<String>>) -> Vec<PathBuf> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.and_then(names).map_or_else(
        || vec![path.to_owned()],
        |names| names.iter().map(|name| path.with_file_name(name)).collect(),
    )
}

/// Pushes the files to the loader, in order.
fn push(
    loader: &mut ModelLoader,
    files: &[PathBuf],
    mut progress: impl FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<(), Error> {
    // All of them first, so that a missing last file is known before the others are read.
    let lengths = files.iter().map(|path| {
        let metadata = fs::metadata(path);
        metadata.map_err(|error| unreadable(path, 0, &error))
    });
    let lengths: Vec<u64> = lengths
        .map(|metadata| metadata.map(|it| it.len()))
        .collect::<Result<_, _>>()?;
    let total = lengths
        .iter()
        .fold(0, |sum: u64, bytes| sum.saturating_add(*bytes));
    let mut buffer = vec![0; PIECE];
    let mut before = 0;
    for (path, bytes) in files.iter().zip(lengths) {
        let mut file = File::open(path).map_err(|error| unreadable(path, 0, &error))?;
        let mut position = 0;
        loader.begin_file(Some(bytes));
        loop {
            let count = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(unreadable(path, position, &error).into()),
            };
            position += count as u64;
            loader.push(buffer.get(..count).unwrap_or_default())?;
            if progress(before + position, total).is_break() {
                return Err(ModelError::Cancelled.into());
            }
        }
        loader.end_file()?;
        before += position;
    }
    Ok(())
}

pub(super) fn unreadable(path: &Path, offset: u64, error: &io::Error) -> WeightsError {
    WeightsError::Read {
        offset,
        detail: format!("{}: {error}", path.display()),
    }
}
