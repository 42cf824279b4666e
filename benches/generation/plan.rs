//! What is to be measured, as `cargo xtask bench` says it.

use std::path::PathBuf;

use kvscope::cache::CacheOptions;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub model: PathBuf,
    /// Whether the browser measures at the same spots.
    pub browser: bool,
    pub prefill: Vec<Prefill>,
    pub decode: Vec<Decode>,
    pub curve: Vec<Curve>,
    pub selection: Vec<Selection>,
    /// Rounds in which the kernels are run by themselves.
    pub products: usize,
    /// Steps before those that count.
    pub warm: usize,
    /// Steps that count, a round.
    pub steps: usize,
    /// In each, all spots of a group have their turn.
    pub rounds: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prefill {
    pub context: usize,
    pub method: String,
    pub cache: CacheOptions,
    pub repeats: usize,
}

/// A policy, and how far its cache has come when the measuring begins.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Filled {
    pub policy: String,
    pub cache: CacheOptions,
    pub max_new_tokens: usize,
    pub prompt: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decode {
    #[serde(flatten)]
    pub filled: Filled,
    pub context: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Curve {
    #[serde(flatten)]
    pub filled: Filled,
    /// Where the last window begins, if one does just there.
    pub to: usize,
    /// A window begins so many positions after the last.
    pub every: usize,
    /// Consecutive steps of a window.
    pub window: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Selection {
    #[serde(flatten)]
    pub filled: Filled,
    pub context: usize,
    pub steps: usize,
}
