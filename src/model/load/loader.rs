//! Loading a model from its files, as their bytes arrive.

use std::sync::Arc;

use burn::tensor::Device;
use serde::Serialize;

use super::super::config::LlamaConfig;
use super::super::error::ModelError;
use super::super::llama::Llama;
use super::super::weight::Weight;
use super::builder::ModelBuilder;
use crate::Error;
use crate::formats::WeightsError;
use crate::formats::gguf::{GgufEvent, GgufHeader, GgufReader, SplitFiles};
use crate::formats::safetensors::{SafetensorsEvent, SafetensorsFiles, SafetensorsReader};

/// Loads a model whose file, or files in order, are handed to it piece by piece.
///
/// Each tensor goes to the device as its bytes come; on the host, only headers and vectors are
/// kept. Dropping the loader cancels the load.
///
/// ```no_run
/// # use kvscope::{Error, model::Llama};
/// # fn load(device: burn::tensor::Device, file: Vec<u8>) -> Result<Llama, Error> {
/// let mut loader = kvscope::model::ModelLoader::gguf(device);
/// loader.begin_file(Some(file.len() as u64));
/// for piece in file.chunks(1 << 20) {
///     loader.push(piece)?;
/// }
/// loader.end_file()?;
/// loader.finish()
/// # }
/// ```
pub struct ModelLoader {
    device: Device,
    binding_bytes: u64,
    files: Files,
    /// From the configuration on: a GGUF file's header has it.
    builder: Option<ModelBuilder>,
    /// Bytes of the files before this one.
    before: u64,
    /// Bytes of this file, if known.
    file_bytes: Option<u64>,
}

/// The reader of either kind of file.
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

/// Bytes read of a model's files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct LoadProgress {
    /// Bytes read so far, of all files.
    pub read_bytes: u64,
    /// Bytes that will have been read at the end of the current file, if its length is known.
    pub file_end: Option<u64>,
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
    /// Those of [`LlamaConfig::from_config_json`].
    pub fn safetensors(
        config: &[u8],
        files: SafetensorsFiles,
        device: Device,
    ) -> Result<Self, Error> {
        let config = LlamaConfig::from_config_json(config)?;
        Ok(Self {
            builder: Some(ModelBuilder::new(config, device.clone())),
            files: Files::Safetensors {
                reader: SafetensorsReader::new(None),
                files,
            },
            ..Self::gguf(device)
        })
    }

    /// Refuses tensors that need more than this in one binding, the device's
    /// `maxStorageBufferBindingSize`.
    #[must_use]
    pub fn with_binding_bytes(mut self, binding_bytes: u64) -> Self {
        self.binding_bytes = binding_bytes;
        self
    }

    /// Begins the next file, of `file_bytes` bytes if that is known.
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
    /// Errors of the file, or of a tensor that does not fit the model, as soon as they show. The
    /// load can't go on then.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        match &mut self.files {
            Files::Gguf { reader, files } => {
                while let Some(event) = reader.push(&mut bytes)? {
                    match event {
                        GgufEvent::Header(header) => {
                            files.add(header.clone())?;
                            if self.builder.is_none() {
                                let config = LlamaConfig::from_gguf(&header)?;
                                let builder = ModelBuilder::new(config, self.device.clone());
                                self.builder = Some(builder);
                            }
                        }
                        GgufEvent::Tensor {
                            index,
                            offset,
                            bytes,
                            last,
                        } => {
                            let tensor = reader.header().and_then(|it| it.tensors.get(index));
                            if let (Some(tensor), Some(builder)) = (tensor, &mut self.builder) {
                                let weight = Weight::from_gguf_name(&tensor.name);
                                let piece = (offset, bytes, last);
                                builder.take(weight, tensor, piece, self.binding_bytes)?;
                            }
                        }
                    }
                }
            }
            Files::Safetensors { reader, files } => {
                while let Some(event) = reader.push(&mut bytes)? {
                    match event {
                        SafetensorsEvent::Header(header) => files.add(header)?,
                        SafetensorsEvent::Tensor {
                            index,
                            offset,
                            bytes,
                            last,
                        } => {
                            let tensor = reader.header().and_then(|it| it.tensors.get(index));
                            if let (Some(tensor), Some(builder)) = (tensor, &mut self.builder) {
                                let weight = Weight::from_hugging_face_name(&tensor.name);
                                let piece = (offset, bytes, last);
                                builder.take(weight, tensor, piece, self.binding_bytes)?;
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Truncated`] if bytes are missing.
    pub fn end_file(&mut self) -> Result<(), Error> {
        match &self.files {
            Files::Gguf { reader, .. } => reader.finish()?,
            Files::Safetensors { reader, .. } => reader.finish()?,
        }
        self.before = self.progress().read_bytes;
        self.file_bytes = None;
        // An unused reader, so that no byte is counted twice.
        self.begin_file(None);
        Ok(())
    }

    /// The header of a GGUF model's first file: its metadata has the tokenizer and the chat
    /// template.
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
            // Nothing is known yet of later files of a set.
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
