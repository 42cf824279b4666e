//! Prefill methods: what is kept of a prompt.
//!
//! A method is a file here and a line in the list below: what it has to see, how it scores the positions before the
//! observation window, and how many of them stay. The window itself always stays.

mod full;
mod h2o;
mod pyramidinfer;
mod pyramidkv;
mod snapkv;
mod streamingllm;

use burn::tensor::Tensor;

use super::budget::TurnBudgets;
use super::config::Pooling;
use super::rules::rules;

/// What a method has to see of the prompt's attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing.
    Nothing,
    /// Every query's attention, summed over the queries.
    EveryQuery,
    /// The attention of the observation window's queries, summed.
    WindowQueries,
}

/// What there is to score by. Attention is averaged over the query group.
pub(super) struct Evidence {
    /// The attention that the method needs, `[kv_heads, positions]` over the positions before the window, earliest first.
    pub attention: Tensor<2>,
    pub pooling: Pooling,
    pub kernel: usize,
}

/// The prompt as one head sees it, for arithmetic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prompt {
    /// n: positions there are to choose from.
    pub length: usize,
    pub layer: usize,
    pub budgets: TurnBudgets,
}

impl Prompt {
    /// Positions before the observation window.
    fn before_window(&self) -> usize {
        self.length.saturating_sub(self.budgets.window)
    }
}

/// One method's rule.
pub(super) trait PrefillRule: Sync {
    /// What it has to see.
    fn needs(&self) -> Needs;

    /// How many positions before the window stay, of a prompt that is not shorter than the budget; `None` for all.
    fn keep(&self, prompt: &Prompt) -> Option<usize>;

    /// Scores `[kv_heads, positions]` by which positions before the window stay, largest first; `None` ranks them by
    /// position, earliest first.
    fn score(&self, evidence: Evidence) -> Option<Tensor<2>>;
}

rules! {
    /// What is kept of the prompt.
    pub enum PrefillMethod: PrefillRule {
        /// Everything.
        Full = "full" by full::Full,
        /// The first and the last positions (Xiao et al., arXiv 2309.17453).
        StreamingLlm = "streamingllm" by streamingllm::StreamingLlm,
        /// The positions that all queries together attend to most (Zhang et al., arXiv 2306.14048).
        H2o = "h2o" by h2o::H2o,
        /// The positions that the last queries attend to most, smoothed (Li et al., arXiv 2404.14469).
        SnapKv = "snapkv" by snapkv::SnapKv,
        /// As `snapkv`, with a budget that falls over the layers (Cai et al., arXiv 2406.02069).
        PyramidKv = "pyramidkv" by pyramidkv::PyramidKv,
        /// As `h2o`, with `pyramidkv`'s budgets (Yang et al., arXiv 2405.12532).
        PyramidInfer = "pyramidinfer" by pyramidinfer::PyramidInfer,
    }
}
