//! Configurations of known models, refused ones, and arbitrary ones.

#![cfg(not(target_family = "wasm"))]

mod gguf_file;
#[path = "model_config/hostile.rs"]
mod hostile;
#[path = "model_config/known.rs"]
mod known;
#[path = "model_config/refused.rs"]
mod refused;

use std::sync::Arc;

use gguf_file::GgufFile;
use kvscope::formats::gguf::{GgufEvent, GgufHeader, GgufReader};
use kvscope::model::{LlamaConfig, ModelError};

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
