//! Which models these are, and in what they differ.

use super::error::ModelError;

/// An architecture of the Llama family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Llama, and what is built like it: SmolLM2, TinyLlama, Llama 3.x, Mistral.
    Llama,
    /// Qwen2: queries, keys and values have biases.
    Qwen2,
    /// Qwen3: queries and keys are normed, head by head.
    Qwen3,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Llama, Self::Qwen2, Self::Qwen3];

    /// Its name, in a GGUF file's `general.architecture`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        }
    }

    /// The architecture that a GGUF file names.
    ///
    /// # Errors
    ///
    /// [`ModelError::Architecture`] for any that is not in [`ALL`](Self::ALL).
    pub fn from_gguf_name(name: &str) -> Result<Self, ModelError> {
        let found = Self::ALL.into_iter().find(|known| known.name() == name);
        found.ok_or_else(|| unsupported(name))
    }

    /// The architecture that a Hugging Face `config.json` names as `model_type`.
    ///
    /// # Errors
    ///
    /// As [`from_gguf_name`](Self::from_gguf_name).
    pub fn from_model_type(name: &str) -> Result<Self, ModelError> {
        match name {
            "mistral" => Ok(Self::Llama),
            other => Self::from_gguf_name(other),
        }
    }

    /// Whether queries, keys and values have biases.
    pub fn has_biases(self) -> bool {
        self == Self::Qwen2
    }

    /// Whether queries and keys are normed, head by head.
    pub fn has_head_norms(self) -> bool {
        self == Self::Qwen3
    }
}

fn unsupported(name: &str) -> ModelError {
    ModelError::Architecture {
        found: crate::quoted::quoted(name),
        supported: Architecture::ALL.map(Architecture::name).join(", "),
    }
}
