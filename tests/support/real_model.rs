//! The real model's file, and what another implementation recorded of it.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde::Deserialize;

/// The model's file: `KVSCOPE_MODEL`, or where `cargo xtask model` puts it.
pub fn file() -> PathBuf {
    let path = std::env::var_os("KVSCOPE_MODEL").map_or_else(
        || {
            let home = std::env::var_os("HOME").expect("a home folder");
            Path::new(&home).join(".cache/kvscope/models/SmolLM2-135M-Instruct.Q4_1.gguf")
        },
        PathBuf::from,
    );
    assert!(
        path.is_file(),
        "no model at {}: run `cargo xtask model`, or set KVSCOPE_MODEL",
        path.display()
    );
    path
}

/// One file of recorded texts.
#[derive(Debug, Deserialize)]
pub struct Reference {
    pub tokenizer: Vec<Encoded>,
    pub generation: Vec<Recorded>,
    pub nll: MeanLoss,
    /// Logits of the last four prompt positions of each generation, `[4, vocabulary]`.
    #[serde(skip)]
    pub logits: Vec<Vec<Vec<f32>>>,
    #[serde(skip)]
    pub name: String,
}

#[derive(Debug, Deserialize)]
pub struct Encoded {
    pub text: String,
    pub ids: Vec<u32>,
}

#[derive(Debug, Deserialize)]
pub struct Recorded {
    pub prompt: String,
    pub prompt_ids: Vec<u32>,
    pub greedy_ids: Vec<u32>,
    pub greedy_text: String,
    /// By how much the greedy token's logit was above the next one's.
    pub margin: Vec<f32>,
}

#[derive(Debug, Deserialize)]
pub struct MeanLoss {
    pub text: String,
    pub ids: Vec<u32>,
    pub mean_nll: f64,
}

/// Every `ref_*.json` of the folder that `KVSCOPE_REFERENCE` names, by default
/// `../shared/reference`, with the logits beside it.
pub fn references() -> Vec<Reference> {
    let folder = std::env::var_os("KVSCOPE_REFERENCE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reference"),
        PathBuf::from,
    );
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| {
        panic!(
            "no reference in {} ({error}): set KVSCOPE_REFERENCE",
            folder.display()
        )
    });
    let mut files: Vec<PathBuf> = files
        .map(|file| file.expect("a readable folder").path())
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with("ref_") && name.ends_with(".json"))
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} has no ref_*.json", folder.display());
    files.iter().map(|path| load(path)).collect()
}

fn load(path: &Path) -> Reference {
    let text = std::fs::read(path).expect("a readable file");
    let mut reference: Reference =
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    reference.name = path.display().to_string();
    let bytes = std::fs::read(path.with_extension("safetensors")).expect("its .safetensors");
    let tensors = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    reference.logits = (0..reference.generation.len())
        .map(|index| {
            let tensor = tensors
                .tensor(&format!("logits_{index}"))
                .unwrap_or_else(|error| panic!("{}: logits_{index}: {error}", path.display()));
            let values = tensor.data().chunks_exact(4);
            let values: Vec<f32> = values
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect();
            let width = tensor.shape()[1];
            values.chunks_exact(width).map(<[f32]>::to_vec).collect()
        })
        .collect();
    reference
}
