//! What can go wrong with a generation beside its model and its cache, under stable codes.

/// Any error of generating. No input makes it panic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// A field of the configuration has a value it can't have.
    #[error("{field} is {value}, but must be {allowed}")]
    Config {
        /// The field's name, as in the configuration.
        field: &'static str,
        /// The value that was given.
        value: String,
        /// What would have been allowed.
        allowed: String,
    },
    /// Another generation has the engine.
    #[error("another generation is running on this engine: wait for its end, or cancel it")]
    Busy,
    /// There is nothing to go on from.
    #[error("the prompt is empty, at least one token is needed")]
    EmptyPrompt,
    /// The prompt is longer than what the model was made for.
    #[error("the prompt has {tokens} tokens, the model's context holds {context}")]
    PromptTooLong {
        /// The prompt's length in tokens.
        tokens: usize,
        /// The model's context length in tokens.
        context: usize,
    },
    /// The model's logits are none that a token can be chosen by.
    #[error("no token can be chosen by these logits: {detail}")]
    Logits {
        /// What is wrong with them.
        detail: String,
    },
    /// The device did not give the logits back.
    #[error("reading the logits back from the device failed: {detail}")]
    Read {
        /// What the device or burn's runtime said.
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
