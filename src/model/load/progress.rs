//! How far a load has come.

use serde::Serialize;

/// Bytes read of a model's files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct LoadProgress {
    /// Bytes read so far, of all files.
    pub read_bytes: u64,
    /// What that will be at the end of the file that is being read, where its length is known.
    pub file_end: Option<u64>,
}
