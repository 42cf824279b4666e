//! Prefill methods: which positions of a prompt stay.
//!
//! A method is a file here and a line in the list below. It decides how many positions before the
//! observation window stay, and what ranks them. The window itself always stays.

use super::Turn;
use super::parameter::{Parameters, Spec};
use super::rules::{Declared, Description, rules};

pub use snapkv::Pooling;

/// Queries of the prompt whose attention is summed per position, averaged over the query group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queries {
    /// All of them, under the causal mask.
    Every,
    /// Those of the observation window.
    Window,
}

/// Rank of the positions before the window. The highest stay; of equal scores the earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Score {
    /// The position: the earliest stay.
    Position,
    /// Attention.
    Attention {
        /// Queries that give it.
        queries: Queries,
    },
    /// Attention, pooled along the positions in steps of one. The length stays the same.
    Pooled {
        /// Queries that give it.
        queries: Queries,
        /// Positions under the pooling kernel, an odd number.
        kernel: usize,
        /// The kernel.
        pooling: Pooling,
    },
}

impl Score {
    /// The queries whose attention it needs; `None` if it needs none.
    pub fn evidence(self) -> Option<Queries> {
        match self {
            Self::Position => None,
            Self::Attention { queries } | Self::Pooled { queries, .. } => Some(queries),
        }
    }
}

/// The prompt of one head, in numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prompt<'a> {
    /// n: positions to choose from.
    pub length: usize,
    pub turn: Turn<'a>,
}

impl Prompt<'_> {
    /// Positions before the observation window.
    pub fn before_window(&self) -> usize {
        self.length.saturating_sub(self.turn.budgets.window)
    }
}

/// The arithmetic of one method.
pub(super) trait PrefillRule: Sync {
    /// The rank of the positions before the window.
    fn score(&self, parameters: &Parameters) -> Score;

    /// Positions before the window that stay, of a prompt that is not shorter than its budget;
    /// `None` for all.
    fn keep_count(&self, prompt: &Prompt<'_>) -> Option<usize>;

    /// The smallest budget with a window of `window` positions.
    fn min_budget(&self, window: usize) -> usize {
        window + 1
    }
}

rules! {
    /// Method that compresses the prompt.
    pub enum PrefillMethod: PrefillRule {
        full::Full = "full",
        streamingllm::StreamingLlm = "streamingllm",
        h2o::H2o = "h2o",
        snapkv::SnapKv = "snapkv",
        pyramidkv::PyramidKv = "pyramidkv",
        pyramidinfer::PyramidInfer = "pyramidinfer",
    }
}
