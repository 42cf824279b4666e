//! A model from GGUF files, as their bytes arrive.

use std::sync::Arc;

use burn::tensor::Device;

use super::super::config::LlamaConfig;
use super::super::error::ModelError;
use super::super::llama::Llama;
use super::super::weight::Weight;
use super::builder::ModelBuilder;
use super::progress::LoadProgress;
use super::sink::TensorSink;
use crate::Error;
use crate::weights::WeightsError;
use crate::weights::gguf::{GgufEvent, GgufHeader, GgufReader, SplitFiles};

/// Loads a model whose file, or files in order, are handed to it piece by piece. Each tensor goes to the device as its bytes
/// come; beside what the device has, only headers and vectors are kept. Dropping it cancels the load.
///
/// ```no_run
/// # fn load(device: burn::tensor::Device, file: Vec<u8>) -> Result<kvscope::model::Llama, kvscope::Error> {
/// let mut loader = kvscope::model::GgufLoader::new(device);
/// loader.begin_file(Some(file.len() as u64));
/// for piece in file.chunks(1 << 20) {
///     loader.push(piece)?;
/// }
/// loader.end_file()?;
/// loader.finish()
/// # }
/// ```
pub struct GgufLoader {
    device: Device,
    binding_bytes: u64,
    reader: GgufReader,
    files: SplitFiles,
    /// From the first file's header on.
    builder: Option<ModelBuilder>,
    sink: Option<TensorSink>,
    /// Bytes of the files before this one.
    before: u64,
    /// What this file has in all, if that is known.
    file_bytes: Option<u64>,
}

impl GgufLoader {
    /// Onto `device`.
    pub fn new(device: Device) -> Self {
        Self {
            device,
            binding_bytes: u64::MAX,
            reader: GgufReader::new(None),
            files: SplitFiles::new(),
            builder: None,
            sink: None,
            before: 0,
            file_bytes: None,
        }
    }

    /// Refuses tensors that need more than this in one binding: the device's `maxStorageBufferBindingSize`.
    #[must_use]
    pub fn with_binding_bytes(mut self, binding_bytes: u64) -> Self {
        self.binding_bytes = binding_bytes;
        self
    }

    /// Says that the next file begins, and how many bytes it has, if that is known.
    pub fn begin_file(&mut self, file_bytes: Option<u64>) {
        self.reader = GgufReader::new(file_bytes);
        self.file_bytes = file_bytes;
        self.sink = None;
    }

    /// Takes the next bytes of the file.
    ///
    /// # Errors
    ///
    /// What is wrong with the file or does not fit a model, as soon as that shows. The load can't go on then.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while let Some(event) = self.reader.push(&mut bytes)? {
            match event {
                GgufEvent::Header(header) => self.take_header(header)?,
                GgufEvent::Tensor {
                    index,
                    offset,
                    bytes,
                    last,
                } => {
                    if offset == 0 {
                        self.sink = self.begin(index)?;
                    }
                    if let Some(sink) = &mut self.sink {
                        sink.push(bytes)?;
                    }
                    let complete = self.sink.take_if(|_| last);
                    if let (Some(sink), Some(builder)) = (complete, &mut self.builder) {
                        builder.end(sink);
                    }
                }
            }
        }
        Ok(())
    }

    /// Says that the file has ended.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Truncated`] if something is missing.
    pub fn end_file(&mut self) -> Result<(), Error> {
        self.reader.finish()?;
        self.before += self.reader.position();
        self.file_bytes = None;
        Ok(())
    }

    /// The header of the first file, once it has come: the model's metadata, with its tokenizer and chat template.
    pub fn header(&self) -> Option<&Arc<GgufHeader>> {
        self.files.files().first()
    }

    /// How far the load has come.
    pub fn progress(&self) -> LoadProgress {
        LoadProgress {
            read_bytes: self.before + self.reader.position(),
            // Of later files of a set nothing is known yet.
            file_end: self.file_bytes.map(|bytes| self.before + bytes),
        }
    }

    /// The model.
    ///
    /// # Errors
    ///
    /// [`WeightsError`] if a file is missing, [`ModelError::MissingTensor`].
    pub fn finish(self) -> Result<Llama, Error> {
        self.files.finish()?;
        match self.builder {
            Some(builder) => builder.finish(),
            None => Err(WeightsError::Truncated {
                offset: 0,
                expected: "a GGUF file".to_owned(),
            }
            .into()),
        }
    }

    fn take_header(&mut self, header: Arc<GgufHeader>) -> Result<(), Error> {
        self.files.add(header.clone())?;
        if self.builder.is_none() {
            let config = LlamaConfig::from_gguf(&header)?;
            self.builder = Some(ModelBuilder::new(
                config,
                self.device.clone(),
                self.binding_bytes,
            ));
        }
        Ok(())
    }

    /// Room for the tensor at `index` of the file's directory; `None` for one that is not needed.
    fn begin(&self, index: usize) -> Result<Option<TensorSink>, Error> {
        let tensor = self
            .reader
            .header()
            .and_then(|header| header.tensors.get(index));
        let (Some(tensor), Some(builder)) = (tensor, &self.builder) else {
            return Ok(None);
        };
        let Some(weight) = Weight::from_gguf_name(&tensor.name) else {
            return Err(ModelError::UnexpectedTensor {
                name: tensor.name.clone(),
                architecture: builder.architecture(),
            }
            .into());
        };
        let sink = builder.begin(weight, &tensor.name, tensor.format, &tensor.shape())?;
        Ok(Some(sink))
    }
}
