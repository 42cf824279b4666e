//! Errors of making or using a model, under stable codes.

use crate::formats::WeightsError;

/// A model could not be made or used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A model of another kind.
    #[error("the model's architecture is {found}; kvscope runs {supported}")]
    Architecture {
        /// The file's own name for it.
        found: String,
        /// Values that run.
        supported: String,
    },
    /// A feature that the architecture allows and kvscope does not run.
    #[error("the model has {field} = {found}; kvscope runs models with {supported}")]
    Unsupported {
        /// Key in the model's file or `config.json`, or a layer's feature.
        field: String,
        /// Value.
        found: String,
        /// Values that run.
        supported: String,
    },
    /// A value in the model's configuration that cannot be.
    #[error("the model's configuration has {field} = {found}, allowed is {allowed}")]
    Config {
        /// Key in the model's file or `config.json`, or a layer's feature.
        field: String,
        /// Value.
        found: String,
        /// Values that can be.
        allowed: String,
    },
    /// The model's files lack a tensor.
    #[error("the model's files lack the tensor {name}")]
    MissingTensor {
        /// Name in such files.
        name: String,
    },
    /// The model's files have a tensor that its architecture has no use for. Without it the model
    /// would compute something else.
    #[error("the model's files have a tensor {name} that a {architecture} model has no use for")]
    UnexpectedTensor {
        /// Name.
        name: String,
        /// Architecture of the model.
        architecture: &'static str,
    },
    /// A tensor of another shape than the configuration says. The dimension whose elements are
    /// neighbours is last.
    #[error(
        "the tensor {name} has shape {found:?}; by the model's configuration it is {expected:?}"
    )]
    Shape {
        /// Name.
        name: String,
        /// Shape in the file.
        found: Vec<u64>,
        /// Shape by the configuration.
        expected: Vec<usize>,
    },
    /// A tensor that the device cannot bind.
    #[error(
        "the tensor {name} needs {bytes} bytes in one buffer, this GPU binds at most {most}: choose a \
         smaller model or a smaller quantisation"
    )]
    TensorTooLarge {
        /// Name.
        name: String,
        /// Bytes of one buffer that it needs.
        bytes: u64,
        /// Limit of the device.
        most: u64,
    },
    /// A token that the model does not have.
    #[error("there is no token {token}: the model has {vocabulary}, from 0")]
    UnknownToken {
        /// Token.
        token: u32,
        /// Tokens that the model has.
        vocabulary: usize,
    },
    /// A cache that was made for another model: layers, query heads, KV heads and head dimension.
    #[error(
        "the cache is for a model of {found:?} layers, query heads, KV heads and elements a head, this \
         one has {expected:?}"
    )]
    CacheMismatch {
        /// Sizes of the cache.
        found: [usize; 4],
        /// Sizes of the model.
        expected: [usize; 4],
    },
    /// Caches that were to take one token in together and are at different positions.
    #[error(
        "a cache is at position {found}, the first at {first}: they can't take one token in \
         together"
    )]
    CachesApart {
        /// Position of the one.
        found: usize,
        /// Position of the first cache.
        first: usize,
    },
    /// A path at which there is no model.
    #[error(
        "{path} is neither a .gguf file nor a folder with config.json, nor a .safetensors file in \
         one"
    )]
    NotAModel {
        /// Path.
        path: String,
    },
    /// The load was ended by its caller.
    #[error("the load was cancelled")]
    Cancelled,
    /// Reading the model's file failed.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

impl ModelError {
    /// Stable code of this error, see [`crate::Error::code`].
    pub fn code(&self) -> &'static str {
        match self {
            Self::Architecture { .. }
            | Self::Unsupported { .. }
            | Self::UnexpectedTensor { .. } => "model-unsupported",
            Self::Config { .. } | Self::MissingTensor { .. } | Self::Shape { .. } => {
                "model-malformed"
            }
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
