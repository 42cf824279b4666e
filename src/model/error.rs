//! What can be wrong with a model, under stable codes.

use crate::formats::WeightsError;

/// A model could not be made or used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A model of another kind.
    #[error("the model's architecture is {found}; kvscope runs {supported}")]
    Architecture {
        /// What the file says.
        found: String,
        /// What would work.
        supported: String,
    },
    /// Something that the architecture allows and kvscope does not run.
    #[error("the model has {field} = {found}; kvscope runs models with {supported}")]
    Unsupported {
        /// The key in the model's file or `config.json`.
        field: String,
        /// Its value.
        found: String,
        /// What would work.
        supported: String,
    },
    /// A value in the model's configuration that can't be.
    #[error("the model's configuration has {field} = {found}, allowed is {allowed}")]
    Config {
        /// The key in the model's file or `config.json`.
        field: String,
        /// Its value.
        found: String,
        /// What would be right.
        allowed: String,
    },
    /// The model's files lack a tensor.
    #[error("the model's files lack the tensor {name}")]
    MissingTensor {
        /// Its name in a GGUF file.
        name: String,
    },
    /// The model's files have a tensor that its architecture has no use for.
    #[error("the model's files have a tensor {name} that a {architecture} model has no use for")]
    UnexpectedTensor {
        /// Its name.
        name: String,
        /// The model's architecture.
        architecture: &'static str,
    },
    /// A tensor of another shape than the configuration says. The dimension whose elements are neighbours is last.
    #[error(
        "the tensor {name} has shape {found:?}; by the model's configuration it is {expected:?}"
    )]
    Shape {
        /// Its name.
        name: String,
        /// Its shape.
        found: Vec<u64>,
        /// What the configuration says.
        expected: Vec<usize>,
    },
    /// A tensor that the device can't bind.
    #[error(
        "the tensor {name} needs {bytes} bytes in one buffer, this GPU binds at most {most}: choose a smaller model or a \
         smaller quantisation"
    )]
    TensorTooLarge {
        /// Its name.
        name: String,
        /// What it needs.
        bytes: u64,
        /// The device's limit.
        most: u64,
    },
    /// A token that the model does not have.
    #[error("there is no token {token}: the model has {vocabulary}, from 0")]
    UnknownToken {
        /// The token.
        token: u32,
        /// How many there are.
        vocabulary: usize,
    },
    /// A cache that was made for another model: layers, query heads, KV heads and head dimension.
    #[error(
        "the cache is for a model of {found:?} layers, query heads, KV heads and elements a head, this one has {expected:?}"
    )]
    CacheMismatch {
        /// The cache's.
        found: [usize; 4],
        /// The model's.
        expected: [usize; 4],
    },
    /// Caches that were to take a token in together and are at different positions.
    #[error(
        "a cache is at position {found}, the first at {first}: they can't take one token in together"
    )]
    CachesApart {
        /// The position of the one.
        found: usize,
        /// The first cache's.
        first: usize,
    },
    /// A path at which there is no model.
    #[error(
        "{path} is neither a .gguf file nor a folder with config.json, nor a .safetensors file in one"
    )]
    NotAModel {
        /// The path.
        path: String,
    },
    /// Whoever asked for the load has ended it.
    #[error("the load was cancelled")]
    Cancelled,
    /// Reading the model's file failed.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

impl ModelError {
    /// The stable code of this error, see [`crate::Error::code`].
    pub fn code(&self) -> &'static str {
        match self {
            Self::Architecture { .. } | Self::Unsupported { .. } => "model-unsupported",
            Self::Config { .. }
            | Self::MissingTensor { .. }
            | Self::UnexpectedTensor { .. }
            | Self::Shape { .. } => "model-malformed",
            Self::TensorTooLarge { .. } => "limit-too-small",
            Self::UnknownToken { .. } | Self::CacheMismatch { .. } | Self::CachesApart { .. } => {
                "invalid-argument"
            }
            Self::NotAModel { .. } => "model-not-found",
            Self::Cancelled => "cancelled",
            Self::Weights(error) => error.code(),
        }
    }
}
