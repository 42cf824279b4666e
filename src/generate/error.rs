//! Errors of a generation beside its model's and its cache's, under stable codes.

/// Any error of generating. No input makes it panic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// A field of the configuration is out of range.
    #[error("{field} is {value}, but must be {allowed}")]
    Config {
        /// Name of the field, as in the configuration.
        field: &'static str,
        /// Value given.
        value: String,
        /// Values allowed.
        allowed: String,
    },
    /// Another generation has the engine.
    #[error("another generation is running on this engine: wait for its end, or cancel it")]
    Busy,
    /// The prompt has no token to go on from.
    #[error("the prompt is empty, at least one token is needed")]
    EmptyPrompt,
    /// The prompt is longer than the model's context.
    #[error("the prompt has {tokens} tokens, the model's context holds {context}")]
    PromptTooLong {
        /// Prompt length in tokens.
        tokens: usize,
        /// Context length of the model in tokens.
        context: usize,
    },
    /// No token can be chosen by the model's logits.
    #[error("no token can be chosen by these logits: {detail}")]
    Logits {
        /// Fault of the logits.
        detail: String,
    },
    /// The device did not give the logits back.
    #[error("reading the logits back from the device failed: {detail}")]
    Read {
        /// Message of the device or burn's runtime.
        detail: String,
    },
}

impl GenerateError {
    /// The stable code that programs match on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Config { .. } => "invalid-config",
            Self::Busy => "engine-busy",
            Self::EmptyPrompt => "prompt-empty",
            Self::PromptTooLong { .. } => "prompt-too-long",
            Self::Logits { .. } => "logits-invalid",
            Self::Read { .. } => "logits-read",
        }
    }

    pub(super) fn config(
        field: &'static str,
        value: impl std::fmt::Display,
        allowed: impl Into<String>,
    ) -> Self {
        Self::Config {
            field,
            value: value.to_string(),
            allowed: allowed.into(),
        }
    }
}
