//! The plan of measurements, written by `cargo xtask bench`.

use std::path::PathBuf;

use kvscope::cache::CacheOptions;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub model: PathBuf,
    /// The browser measures at the same spots.
    pub browser: bool,
    pub prefill: Vec<Prefill>,
    pub decode: Vec<Decode>,
    pub curve: Vec<Curve>,
    pub selection: Vec<Selection>,
    /// Full caches in each storage type.
    pub storage: Vec<Decode>,
    /// Rounds in which kernels run by themselves.
    pub products: usize,
    /// Rounds in which the products of each block format run by themselves.
    pub formats: usize,
    /// A conversation that a session holds.
    pub turns: Option<Turns>,
    /// Warm-up steps before the counted ones.
    pub warm: usize,
    /// Counted steps per round.
    pub steps: usize,
    /// Rounds, in each of which all spots of a group take a turn.
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

/// A turn after others under a full cache, and many turns under a budget.
#[derive(Deserialize)]
pub struct Turns {
    /// Tokens of the turns before.
    pub held: usize,
    /// Tokens of the turn's prompt.
    pub added: usize,
    pub repeats: usize,
    /// Rules of the many turns.
    pub cache: CacheOptions,
    /// Number of the many turns.
    pub count: usize,
}

/// A policy, and the progress of its cache when measuring begins.
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
    /// Beginning of the last window, if one falls exactly there.
    pub to: usize,
    /// Positions from one window's beginning to the next.
    pub every: usize,
    /// Consecutive steps per window.
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
