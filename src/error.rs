//! All errors under one type with stable codes.

use crate::cache::CacheError;
use crate::device::{GpuError, ReadError};
use crate::engine::SessionError;
use crate::formats::WeightsError;
use crate::generate::GenerateError;
use crate::kernels::KernelError;
use crate::model::ModelError;
use crate::text::TextError;

/// Any error of this crate.
///
/// In JavaScript it arrives as a `KvscopeError` whose `code` is [`Error::code`]. Codes are part of
/// the public interface and never change their meaning.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A cache could not be built or used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A generation could not be configured or go on.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// Opening or using the GPU failed.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// A kernel can't work on the tensors that it was given.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// A model could not be made or used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A saved session can't be gone on from.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A tokenizer could not be made, or a text not be tokenized.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A model file could not be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Gpu(error) => Self::Gpu(error),
            ReadError::Burn { detail } => Self::Generate(GenerateError::Read { detail }),
        }
    }
}

impl Error {
    /// The stable code that programs match on, such as `device-lost`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Cache(error) => error.code(),
            Self::Generate(error) => error.code(),
            Self::Gpu(error) => error.code(),
            Self::Kernel(error) => error.code(),
            Self::Model(error) => error.code(),
            Self::Session(error) => error.code(),
            Self::Text(error) => error.code(),
            Self::Weights(error) => error.code(),
        }
    }
}
