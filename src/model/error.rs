//! TEMP
use crate::weights::WeightsError;
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ModelError {
    #[error("unexpected {name} {architecture}")] UnexpectedTensor { name: String, architecture: &'static str },
    #[error("shape {name} {found:?} {expected:?}")] Shape { name: String, found: Vec<u64>, expected: Vec<usize> },
    #[error("large {name}")] TensorTooLarge { name: String, bytes: u64, most: u64 },
    #[error("missing {name}")] MissingTensor { name: String },
    #[error("unknown token {token} {vocabulary}")] UnknownToken { token: u32, vocabulary: usize },
    #[error("cache")] CacheMismatch { found: [usize; 4], expected: [usize; 4] },
    #[error(transparent)] Weights(#[from] WeightsError),
}
impl ModelError { pub fn code(&self) -> &'static str { "x" } }
