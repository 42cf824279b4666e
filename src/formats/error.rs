//! Errors of reading a model file, under stable codes.

/// Any error of reading a model file. Offsets are bytes from the start of the file.
///
/// No file makes the reader panic. Quotes of a file are escaped and shortened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file contradicts its format or itself.
    #[error("malformed model file: {what} at byte {offset} is {found}, expected {expected}")]
    Malformed {
        /// Begin of the thing that is wrong.
        offset: u64,
        /// The thing, such as `the length of a tensor's name`.
        what: String,
        /// The file's contents there.
        found: String,
        /// Right contents.
        expected: String,
    },
    /// The file ends before everything it announced.
    #[error("truncated model file: it ends at byte {offset}, expected {expected}")]
    Truncated {
        /// End of the file.
        offset: u64,
        /// The thing that should have come.
        expected: String,
    },
    /// The file may be right, but uses a feature that kvscope does not read.
    #[error(
        "unsupported model file: {what} at byte {offset} is {found}, kvscope reads {supported}"
    )]
    Unsupported {
        /// Begin of the thing that is not read.
        offset: u64,
        /// The thing, such as `the type of tensor "output.weight"`.
        what: String,
        /// The file's contents there.
        found: String,
        /// Contents that are read.
        supported: String,
    },
    /// The source of the bytes failed.
    #[error("reading the model file failed at byte {offset}: {detail}")]
    Read {
        /// Bytes that had been read.
        offset: u64,
        /// The source's own message.
        detail: String,
    },
    /// Bytes to be dequantised are not whole blocks.
    #[error("{bytes} bytes are not whole blocks of {format}, which have {block_bytes} bytes each")]
    PartialBlock {
        /// Name of the blocks' format.
        format: &'static str,
        /// Bytes to be dequantised.
        bytes: usize,
        /// Bytes per block.
        block_bytes: usize,
    },
}

impl WeightsError {
    /// Stable code that programs match on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "model-malformed",
            Self::Truncated { .. } => "model-truncated",
            Self::Unsupported { .. } => "model-unsupported",
            Self::Read { .. } => "model-read",
            Self::PartialBlock { .. } => "invalid-argument",
        }
    }

    /// Place in the file, in bytes from its start, if the error is about a file.
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Malformed { offset, .. }
            | Self::Truncated { offset, .. }
            | Self::Unsupported { offset, .. }
            | Self::Read { offset, .. } => Some(*offset),
            Self::PartialBlock { .. } => None,
        }
    }

    pub(crate) fn malformed(
        offset: u64,
        what: impl Into<String>,
        found: impl std::fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        Self::Malformed {
            offset,
            what: what.into(),
            found: found.to_string(),
            expected: expected.into(),
        }
    }
}
