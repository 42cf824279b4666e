//! A model from its files, as their bytes arrive.

use std::sync::Arc;

use burn::tensor::Device;
use serde::Serialize;

use super::builder::ModelBuilder;
use crate::Error;
use crate::formats::gguf::{GgufHeader, GgufReader, SplitFiles};
use crate::formats::safetensors::{SafetensorsFiles, SafetensorsReader};
use crate::formats::{FileEvent, FileHeader, FileReader, WeightsError};
use crate::model::architecture::Naming;
use crate::model::config::LlamaConfig;
use crate::model::error::ModelError;
use crate::model::llama::Llama;

/// Bytes read of a model's files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct LoadProgress {
    /// Bytes read so far, of all files.
    pub read_bytes: u64,
    /// Bytes read at the end of this file, where its length is known.
    pub file_end: Option<u64>,
}

/// Loads a model whose file, or files in order, are handed to it chunk by chunk. Each tensor goes
/// to the device as its bytes come. The host keeps only headers and vectors. Dropping it cancels
/// the load.
///
/// ```no_run
/// # use kvscope::model::{Llama, ModelLoader};
/// # fn load(device: burn::tensor::Device, file: Vec<u8>) -> Result<Llama, kvscope::Error> {
/// let mut loader = ModelLoader::gguf(device);
/// loader.begin_file(Some(file.len() as u64));
/// for chunk in file.chunks(1 << 20) {
///     loader.push(chunk)?;
/// }
/// loader.end_file()?;
/// loader.finish()
/// # }
/// ```
pub struct ModelLoader {
    device: Device,
    binding_bytes: u64,
    files: Files,
    /// There once the configuration is: a GGUF file's header has it.
    builder: Option<ModelBuilder>,
    /// Bytes of the files before this one.
    before: u64,
    /// Length of this file, if that is known.
    file_bytes: Option<u64>,
}

/// Files of either kind: the reader of this one, and the headers so far.
enum Files {
    Gguf {
        reader: GgufReader,
        files: SplitFiles,
    },
    Safetensors {
        reader: SafetensorsReader,
        files: SafetensorsFiles,
    },
}

impl ModelLoader {
    /// A loader of GGUF files, which say themselves how many they are, onto `device`.
    pub fn gguf(device: Device) -> Self {
        Self {
            device,
            binding_bytes: u64::MAX,
            files: Files::Gguf {
                reader: GgufReader::new(None),
                files: SplitFiles::new(),
            },
            builder: None,
            before: 0,
            file_bytes: None,
        }
    }

    /// A loader of safetensors files and a model's `config.json`, onto `device`.
    ///
    /// # Errors
    ///
    /// Those of [`LlamaConfig::from_config_json`], or [`ModelError::Unsupported`].
    pub fn safetensors(
        config: &[u8],
        files: SafetensorsFiles,
        device: Device,
    ) -> Result<Self, Error> {
        let config = LlamaConfig::from_config_json(config)?;
        let builder = ModelBuilder::new(config, Naming::HuggingFace, device.clone(), u64::MAX)?;
        Ok(Self {
            builder: Some(builder),
            files: Files::Safetensors {
                reader: SafetensorsReader::new(None),
                files,
            },
            ..Self::gguf(device)
        })
    }

    /// Refuses tensors that need more than this in one binding: the device's
    /// `maxStorageBufferBindingSize`.
    #[must_use]
    pub fn with_binding_bytes(mut self, binding_bytes: u64) -> Self {
        self.binding_bytes = binding_bytes;
        if let Some(builder) = &mut self.builder {
            builder.set_binding_bytes(binding_bytes);
        }
        self
    }

    /// Begins the next file, of `file_bytes` if that is known.
    pub fn begin_file(&mut self, file_bytes: Option<u64>) {
        self.file_bytes = file_bytes;
        match &mut self.files {
            Files::Gguf { reader, .. } => *reader = GgufReader::new(file_bytes),
            Files::Safetensors { reader, .. } => *reader = SafetensorsReader::new(file_bytes),
        }
    }

    /// Takes the next bytes of the file.
    ///
    /// # Errors
    ///
    /// The file's, or those of a tensor that does not fit the model, as soon as they show. The load
    /// cannot go on then.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let builder = &mut self.builder;
        match &mut self.files {
            Files::Gguf { reader, files } => push(reader, bytes, builder, |header, builder| {
                files.add(header.clone())?;
                if builder.is_none() {
                    let config = LlamaConfig::from_gguf(&header)?;
                    let device = self.device.clone();
                    let limit = self.binding_bytes;
                    *builder = Some(ModelBuilder::new(config, Naming::Gguf, device, limit)?);
                }
                Ok(())
            }),
            Files::Safetensors { reader, files } => {
                push(reader, bytes, builder, |header, builder| {
                    if let Some(builder) = builder {
                        builder.take_aliases(&header.metadata);
                    }
                    Ok(files.add(header)?)
                })
            }
        }
    }

    /// Ends the file.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Truncated`] if something is missing.
    pub fn end_file(&mut self) -> Result<(), Error> {
        match &self.files {
            Files::Gguf { reader, .. } => reader.finish()?,
            Files::Safetensors { reader, .. } => reader.finish()?,
        }
        self.before = self.progress().read_bytes;
        self.file_bytes = None;
        // A new reader, so that no byte is counted twice.
        self.begin_file(None);
        Ok(())
    }

    /// Header of a GGUF model's first file: its metadata has the tokenizer and the chat template.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Truncated`] before it has come, and for safetensors, which have none.
    pub fn gguf_header(&self) -> Result<Arc<GgufHeader>, WeightsError> {
        let first = match &self.files {
            Files::Gguf { files, .. } => files.files().first(),
            Files::Safetensors { .. } => None,
        };
        first.cloned().ok_or_else(|| WeightsError::Truncated {
            offset: 0,
            expected: "a GGUF file".to_owned(),
        })
    }

    /// Progress of the load.
    pub fn progress(&self) -> LoadProgress {
        let position = match &self.files {
            Files::Gguf { reader, .. } => reader.position(),
            Files::Safetensors { reader, .. } => reader.position(),
        };
        LoadProgress {
            read_bytes: self.before + position,
            // Later files of a set are not known yet.
            file_end: self.file_bytes.map(|bytes| self.before + bytes),
        }
    }

    /// The model.
    ///
    /// # Errors
    ///
    /// [`WeightsError`] if a file is missing, [`ModelError::MissingTensor`].
    pub fn finish(self) -> Result<Llama, Error> {
        match &self.files {
            Files::Gguf { files, .. } => files.finish()?,
            Files::Safetensors { files, .. } => files.finish()?,
        }
        match self.builder {
            Some(builder) => builder.finish(),
            None => Err(ModelError::Weights(WeightsError::Truncated {
                offset: 0,
                expected: "a model's file".to_owned(),
            })
            .into()),
        }
    }
}

/// Hands the next bytes of a file to its reader, its header to `header` and its tensors to
/// `builder`.
fn push<H: FileHeader>(
    reader: &mut FileReader<H>,
    mut bytes: &[u8],
    builder: &mut Option<ModelBuilder>,
    mut header: impl FnMut(Arc<H>, &mut Option<ModelBuilder>) -> Result<(), Error>,
) -> Result<(), Error> {
    while let Some(event) = reader.push(&mut bytes)? {
        match event {
            FileEvent::Header(complete) => header(complete, builder)?,
            FileEvent::Tensor {
                index,
                offset,
                bytes,
                last,
            } => {
                let tensor = reader.header().and_then(|it| it.tensors().get(index));
                if let (Some(tensor), Some(builder)) = (tensor, builder.as_mut()) {
                    builder.take(tensor, (offset, bytes, last))?;
                }
            }
        }
    }
    Ok(())
}
