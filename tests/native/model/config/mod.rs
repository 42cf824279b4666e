//! Configurations of known models, refused ones, and arbitrary ones.

mod hostile;
mod known;
mod refused;

use std::sync::Arc;

use kvscope::formats::gguf::{GgufEvent, GgufHeader, GgufReader};
use kvscope::model::{LlamaConfig, ModelError};

use crate::support::gguf_file::GgufFile;

/// The header alone: tensors may lack their bytes.
fn header(file: &GgufFile) -> Arc<GgufHeader> {
    let bytes = file.bytes();
    match GgufReader::new(None).push(&mut &bytes[..]) {
        Ok(Some(GgufEvent::Header(header))) => header,
        other => panic!("{other:?} is no header"),
    }
}

fn from_gguf(file: &GgufFile) -> Result<LlamaConfig, ModelError> {
    LlamaConfig::from_gguf(&header(file))
}
