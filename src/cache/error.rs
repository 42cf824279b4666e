//! Errors of a cache, under stable codes.

use super::storage::CacheType;
pub use crate::policy::ConfigError;

/// Any error of the cache. No input makes it panic; after an error the cache is as it was before
/// the call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The configuration is not valid.
    #[error("invalid cache configuration: {0}")]
    Config(#[from] ConfigError),
    /// A tensor does not have the shape that the configuration asks for.
    #[error("{tensor} has shape {found:?}, expected {expected}")]
    Shape {
        /// The tensor's name among the arguments.
        tensor: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// The shape it should have.
        expected: String,
    },
    /// A tensor's elements are not plain floats.
    #[error("{tensor} has elements of type {found}, expected floats that are not quantised")]
    Type {
        /// The tensor's name among the arguments.
        tensor: &'static str,
        /// Its elements' type.
        found: String,
    },
    /// A tensor lives on another device than the cache.
    #[error("{tensor} is on {found}, the cache is on {expected}")]
    Device {
        /// The tensor's name among the arguments.
        tensor: &'static str,
        /// The device that it is on.
        found: String,
        /// The cache's device.
        expected: String,
    },
    /// There is no such layer.
    #[error("there is no layer {layer}, the cache has {layers}")]
    Layer {
        /// The layer asked for, counted from 0.
        layer: usize,
        /// Number of layers of the cache.
        layers: usize,
    },
    /// A decode step, or saving, while the layer's prompt has been appended but not finished.
    #[error("layer {layer} is in the middle of a prompt: call finish_prefill first")]
    PrefillOpen {
        /// The layer.
        layer: usize,
    },
    /// A prefill was finished that had no tokens, or a decode step was taken before any prompt.
    #[error("layer {layer} has no prompt yet: call append first")]
    NoPrompt {
        /// The layer.
        layer: usize,
    },
    /// A layer with a window would have to see positions that it has dropped.
    #[error(
        "layer {layer} sees the {window} newest positions and has dropped some of those before \
         {length}: compute the sequence anew"
    )]
    Window {
        /// The first layer that has dropped such.
        layer: usize,
        /// W: positions that its queries see.
        window: usize,
        /// The length asked for.
        length: usize,
    },
    /// The sequence would become longer than positions can count.
    #[error("the sequence would have {tokens} tokens, a cache counts at most {most}")]
    TooLong {
        /// The length it would have.
        tokens: usize,
        /// The greatest possible.
        most: usize,
    },
    /// Keys or values are no finite numbers as stored: too large for their type, or of damaged
    /// weights.
    #[error(
        "layer {layer} has {rows} that are no finite numbers in {cache_type}{}",
        .position.map_or_else(String::new, |position| format!(", at position {position}"))
    )]
    NotFinite {
        /// The first layer that has such.
        layer: usize,
        /// `keys` or `values`.
        rows: &'static str,
        /// The earliest position that has such. `None` for keys of a first prompt whose frame is
        /// not finite, and for evicted rows.
        position: Option<usize>,
        /// Their storage type.
        cache_type: CacheType,
    },
    /// Saved bytes are not a whole, unchanged save of a cache.
    #[error("these bytes are not a saved cache: {reason}")]
    Corrupt {
        /// The fault in them.
        reason: String,
    },
    /// Saved bytes are of a version that this release can't read.
    #[error("this cache was saved in format {found}, this release reads format {supported}")]
    Version {
        /// The version in the bytes.
        found: u32,
        /// The version that can be read.
        supported: u32,
    },
    /// The device did not give tensors back.
    #[error("reading the cache back from the device failed: {detail}")]
    Read {
        /// Message of the device, or of burn's runtime.
        detail: String,
    },
}

impl CacheError {
    /// [`CacheError::Read`] for an error of the device or of burn.
    pub(super) fn unread(error: impl std::fmt::Debug) -> Self {
        Self::Read {
            detail: format!("{error:?}"),
        }
    }

    /// The stable code that programs match on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Config(_) => "invalid-config",
            Self::Shape { .. } => "cache-shape",
            Self::Type { .. } => "cache-type",
            Self::Device { .. } => "cache-device",
            Self::Layer { .. } => "cache-layer",
            Self::PrefillOpen { .. } => "cache-prefill-open",
            Self::NoPrompt { .. } => "cache-no-prompt",
            Self::Window { .. } => "cache-window",
            Self::TooLong { .. } => "cache-too-long",
            Self::NotFinite { .. } => "cache-not-finite",
            Self::Corrupt { .. } => "cache-corrupt",
            Self::Version { .. } => "cache-version",
            Self::Read { .. } => "cache-read",
        }
    }
}
