//! A model from files on disk.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::tensor::Device;

use super::disk::{set, unreadable};
use super::folder::Folder;
use super::loader::ModelLoader;
use super::tokenizer::TokenizerSource;
use crate::Error;
use crate::formats::WeightsError;
use crate::formats::gguf::split_names;
use crate::model::error::ModelError;
use crate::model::llama::Llama;
use crate::text::{TextError, Tokenizer};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

/// A model from its files, and the source of its tokenizer.
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
    /// The tokenizer's.
    pub fn tokenizer(&self) -> Result<Tokenizer, TextError> {
        self.tokenizer.tokenizer()
    }
}

/// Loads a model from disk. `path` is one of
///
/// - a GGUF file, whatever its name; for a split model any one of its files, named as `gguf-split`
///   does;
/// - a folder in Hugging Face's layout, with `config.json`, `tokenizer.json` and weights. The
///   weights are `model.safetensors`, or `model.safetensors.index.json` and the files that it
///   names. `tokenizer_config.json`, `generation_config.json` and `chat_template.jinja` are read
///   if they are there;
/// - one `.safetensors` file of such a folder; of a numbered set, any one of them.
///
/// Refuses tensors that need more than `binding_bytes` in one binding, the device's
/// `maxStorageBufferBindingSize`. After each chunk of 1 MiB `progress` gets the bytes read of all
/// files, and their total. If it breaks, the load ends.
///
/// # Errors
///
/// [`ModelError::NotAModel`], [`ModelError::Cancelled`], [`WeightsError::Read`] for files that
/// cannot be read, or the files' own.
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

/// True if a file is GGUF by its name or by its first bytes. In some programs' caches it has
/// another name.
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

/// Hands the files to the loader, in order.
fn push(
    loader: &mut ModelLoader,
    files: &[PathBuf],
    mut progress: impl FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<(), Error> {
    // All are looked at first, so that a missing last one is known before the others are read.
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
    let mut buffer = vec![0; CHUNK];
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
