//! Errors of saved sessions, under stable codes.

use crate::model::Fingerprint;

/// Bytes that an engine can't go on from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The bytes are not a whole, unchanged session.
    #[error("these bytes are not a saved session: {reason}")]
    Corrupt {
        /// The fault in them.
        reason: String,
    },
    /// The session was saved in a format that this release can't read.
    #[error("this session was saved in format {found}, this release reads format {supported}")]
    Version {
        /// The version in the bytes.
        found: u32,
        /// The version that can be read.
        supported: u32,
    },
    /// The session is one of another model.
    #[error("this session was saved with the model {found}, the engine has {expected}")]
    Model {
        /// Fingerprint of the session's model.
        found: Fingerprint,
        /// Fingerprint of the engine's model.
        expected: Fingerprint,
    },
}

impl SessionError {
    /// The stable code that programs match on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Corrupt { .. } => "session-corrupt",
            Self::Version { .. } => "session-version",
            Self::Model { .. } => "session-model",
        }
    }
}
