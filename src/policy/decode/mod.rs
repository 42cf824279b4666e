//! Decode strategies: which held positions make room for the next token.
//!
//! A strategy is a file here and a line in the list below. It is arithmetic on the number of slots
//! that a head holds. The numbers follow from the rule alone, whatever the attention is. So the
//! host knows them without reading anything back from the device.

pub mod decayed;

use super::Turn;
use super::order::RankedBy;
use super::parameter::Spec;
use super::rules::{Declared, Description, rules};
use super::state::HeadSlots;
use decayed::Decayed;

/// Slots that a strategy may evict, and their rank.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scope {
    /// Prompt positions may be evicted too. SCOPE's strategies never touch them.
    pub prompt_too: bool,
    /// The newest β2 positions are always kept.
    pub keeps_recent: bool,
    /// Rank of the candidates.
    pub ranked_by: RankedBy,
}

impl Scope {
    /// Positions that are kept because they are new, of β2 = `recent`.
    pub fn recent(&self, recent: usize) -> usize {
        if self.keeps_recent { recent } else { 0 }
    }
}

/// SCOPE's own strategies: the decode positions older than the recent ones, by attention.
const SPLIT: Scope = Scope {
    prompt_too: false,
    keeps_recent: true,
    ranked_by: RankedBy::Attention,
};

/// Strategies that treat prompt and decode positions alike.
pub(super) const UNIFIED: Scope = Scope {
    prompt_too: true,
    ..SPLIT
};

/// The arithmetic of one strategy.
pub(super) trait DecodeRule: Sync {
    /// Slots that it may evict, and their rank.
    fn scope(&self) -> Scope;

    /// Candidates that `head` keeps at decode step `step`, from 0. Candidates are the positions in
    /// scope that are older than the recent ones; `head` counts the new token. `None` if the rule
    /// does not act.
    fn keep_count(&self, head: HeadSlots, step: usize, turn: &Turn<'_>) -> Option<usize>;

    /// Steps at which it would act that it skips before it does.
    fn skips(&self, _turn: &Turn<'_>) -> usize {
        0
    }

    /// The most slots that a head of `prefill` prompt slots holds within the expected tokens, the
    /// new token included. `None` if nothing bounds them. Memory is not allocated beyond this.
    fn max_slots(&self, prefill: usize, turn: &Turn<'_>) -> Option<usize>;

    /// Factor by which the previous step's scores carry over; `None` if scores are of one step.
    fn carry(&self, _turn: &Turn<'_>) -> Option<f32> {
        None
    }

    /// The smallest budget with `recent` positions that are always kept.
    fn min_budget(&self, recent: usize) -> usize {
        self.scope().recent(recent).max(1)
    }
}

rules! {
    /// Strategy that evicts at a decode step, after its attention.
    pub enum DecodeStrategy: DecodeRule {
        full::Full = "full",
        slide::Slide = "slide",
        adaptive::Adaptive = "adaptive",
        discontinuous::Discontinuous = "discontinuous",
        h2o::H2o = "h2o",
        streamingllm::StreamingLlm = "streamingllm",
        pyramidinfer::PyramidInfer = "pyramidinfer",
        tova::Tova = "tova",
    } and {
        DecayedSlide = "decayed-slide" by Decayed<slide::Slide>,
        DecayedH2o = "decayed-h2o" by Decayed<h2o::H2o>,
    }
}

impl DecodeStrategy {
    /// Prompt positions may be evicted too.
    pub fn evicts_prompt(self) -> bool {
        self.rule().scope().prompt_too
    }
}
