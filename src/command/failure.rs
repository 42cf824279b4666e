//! Failures of the command, and their reports.

use std::path::PathBuf;
use std::process::ExitCode;

use kvscope::Error;
use kvscope::cache::CacheError;
use kvscope::eval::trace::TraceError;
use kvscope::generate::GenerateError;
use kvscope::model::ModelError;
use serde_json::json;

use super::INTERRUPTED;

/// Reason that the command ends without success.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// An error of the library.
    #[error(transparent)]
    Kvscope(#[from] Error),
    /// The prompt's file could not be read.
    #[error("the prompt can't be read from {}: {error}", path.display())]
    Prompt {
        path: PathBuf,
        error: std::io::Error,
    },
    /// A session's file could not be read or written.
    #[error("the session's file {} can't be used: {error}", path.display())]
    Session {
        path: PathBuf,
        error: std::io::Error,
    },
    /// No such programs exist.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The examples of an evaluation can't be used.
    #[error("{}: {reason}", path.display())]
    Data { path: PathBuf, reason: String },
    /// Earlier results can't be continued: not results, or of something else.
    #[error("{} can't be gone on from: {reason}; name another file, or remove it", path.display())]
    Resume { path: PathBuf, reason: String },
    /// A Markdown file has no place for the results.
    #[error("{} can't be written to: {reason}", path.display())]
    Readme { path: PathBuf, reason: String },
    /// The standard output, or a file, could not be written.
    #[error("the output can't be written: {0}")]
    Output(std::io::Error),
}

impl Failure {
    /// The stable code that programs match on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Kvscope(error) => error.code(),
            Self::Prompt { .. } => "prompt-unreadable",
            Self::Session { .. } => "session-file",
            Self::Trace(_) => "trace-config",
            Self::Data { .. } => "data-unusable",
            Self::Resume { .. } => "resume-refused",
            Self::Readme { .. } => "readme-unusable",
            Self::Output(_) => "output-failed",
        }
    }

    /// Reports it on the standard error, for people or machines.
    pub fn report(&self, json: bool) {
        let (code, message) = (self.code(), self.to_string());
        if json {
            eprintln!(
                "{}",
                json!({ "error": { "code": code, "message": message } })
            );
        } else {
            eprintln!("error: {message} ({code})");
        }
    }

    /// 2 for arguments that can't be read or fulfilled, 130 for a load that Ctrl-C ended, 1 for
    /// everything else.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Trace(_)
            | Self::Data { .. }
            | Self::Resume { .. }
            | Self::Readme { .. }
            | Self::Kvscope(
                Error::Cache(CacheError::Config(_)) | Error::Generate(GenerateError::Config { .. }),
            ) => ExitCode::from(2),
            Self::Kvscope(Error::Model(ModelError::Cancelled)) => ExitCode::from(INTERRUPTED),
            _ => ExitCode::FAILURE,
        }
    }
}
