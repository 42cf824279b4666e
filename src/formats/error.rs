//! What can be wrong with a model file, under stable codes.

/// Any error of reading a model file. Offsets are bytes from the start of the file.
///
/// No file makes the reader panic. What a file says is quoted escaped and shortened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file contradicts its format or itself.
    #[error("malformed model file: {what} at byte {offset} is {found}, expected {expected}")]
    Malformed {
        /// Where the thing that is wrong begins.
        offset: u64,
        /// What it is, such as `the length of a tensor's name`.
        what: String,
        /// What the file has there.
        found: String,
        /// What would have been right.
        expected: String,
    },
    /// The file ends before everything it announced.
    #[error("truncated model file: it ends at byte {offset}, expected {expected}")]
    Truncated {
        /// Where the file ends.
        offset: u64,
        /// What should have come.
        expected: String,
    },
    /// The file may be right, but uses something that kvscope does not read.
    #[error(
        "unsupported model file: {what} at byte {offset} is {found}, kvscope reads {supported}"
    )]
    Unsupported {
        /// Where the thing that can't be read begins.
        offset: u64,
        /// What it is, such as `the type of tensor "output.weight"`.
        what: String,
        /// What the file has there.
        found: String,
        /// What can be read in its place.
        supported: String,
    },
    /// The source of the bytes failed.
    #[error("reading the model file failed at byte {offset}: {detail}")]
    Read {
        /// How far reading had come.
        offset: u64,
        /// What the source said.
        detail: String,
    },
    /// Bytes that were given to be dequantised are not whole blocks.
    #[error("{bytes} bytes are not whole blocks of {format}, which have {block_bytes} bytes each")]
    PartialBlock {
        /// The name of the blocks' format.
        format: &'static str,
        /// How many bytes were given.
        bytes: usize,
        /// How many bytes a block has.
        block_bytes: usize,
    },
}

impl WeightsError {
    /// The stable code that programs match on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "model-malformed",
            Self::Truncated { .. } => "model-truncated",
            Self::Unsupported { .. } => "model-unsupported",
            Self::Read { .. } => "model-read",
            Self::PartialBlock { .. } => "invalid-argument",
        }
    }

    /// Where in the file, in bytes from its start, if it is about a file.
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
