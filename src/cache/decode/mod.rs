//! Decode strategies: which of the held positions make room for the next token.
//!
//! A strategy is a file here and a line in the list below. What it says is arithmetic on how many slots a head holds;
//! that the numbers follow from the rule alone, whatever the attention was, is what lets the host know them without
//! reading anything back from the device.

mod adaptive;
mod decayed_h2o;
mod decayed_slide;
mod discontinuous;
mod full;
mod h2o;
mod pyramidinfer;
mod slide;
mod streamingllm;
mod tova;

use super::budget::TurnBudgets;
use super::rules::rules;

/// Slots that one KV head holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HeadSlots {
    /// P: what prefill kept. Strategies over everything may evict some of them later; the number stays their measure.
    pub prefill: usize,
    /// Everything the head holds now.
    pub held: usize,
}

impl HeadSlots {
    /// D: slots held beyond P. Under SCOPE's strategies these are the decode positions.
    pub fn decode(self) -> usize {
        self.held.saturating_sub(self.prefill)
    }
}

/// Where in the turn and in the model a strategy is asked.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// t: decode steps of this turn before this one.
    pub step: usize,
    /// The layer, from 0.
    pub layer: usize,
    /// The turn's numbers.
    pub budgets: TurnBudgets,
}

/// Among which positions a strategy chooses, and by what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scope {
    /// Whether prompt positions may be evicted too. SCOPE's strategies never touch them.
    pub prompt_too: bool,
    /// Whether the newest β2 positions are always kept.
    pub keeps_recent: bool,
    /// What the positions are ranked by.
    pub ranked_by: RankedBy,
}

/// What held positions are ranked by; the first stay. With equal scores the earlier position stays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RankedBy {
    /// This step's attention, largest first.
    Attention,
    /// The attention of this step and all before it since the prompt, each step's counting
    /// [`ScopeCacheConfig::decay`](super::ScopeCacheConfig::decay) of the next one's; largest first.
    DecayedAttention,
    /// The position itself, earliest first.
    Position,
}

impl RankedBy {
    /// How much of the scores of the step before goes into those of a step, `step` being those since the prompt, where
    /// `decay` is the cache's.
    pub fn decay(self, step: usize, decay: f32) -> f32 {
        match self {
            // What the prompt's own selection was made by is another measure.
            Self::DecayedAttention if step > 0 => decay,
            _ => 0.0,
        }
    }
}

/// One strategy's rule.
pub(super) trait DecodeRule: Sync {
    /// Among which positions it chooses.
    fn scope(&self) -> Scope;

    /// How many of the candidates (the positions in its scope that are older than the recent ones) a head keeps that
    /// holds `head`, the new token's slot included; `None` where the rule does not act.
    fn keep(&self, head: HeadSlots, now: &Step) -> Option<usize>;

    /// Steps at which it would act that it lets pass before it does.
    fn patience(&self, _budgets: &TurnBudgets) -> usize {
        0
    }

    /// The most slots that a head, of which prefill kept `prefill`, comes to hold within the expected tokens, the new
    /// token's included; `None` where nothing bounds them. Memory is not allocated beyond this.
    fn most(&self, prefill: usize, layer: usize, budgets: &TurnBudgets) -> Option<usize>;

    /// Whether it divides by β1, which then can't be 0.
    fn needs_heavy(&self) -> bool {
        false
    }
}

/// SCOPE's own strategies: the decode positions older than the recent ones, by attention.
const SPLIT: Scope = Scope {
    prompt_too: false,
    keeps_recent: true,
    ranked_by: RankedBy::Attention,
};

/// Strategies that treat prompt and decode positions alike.
const UNIFIED: Scope = Scope {
    prompt_too: true,
    ..SPLIT
};

rules! {
    /// What is evicted at a decode step, after its attention.
    pub enum DecodeStrategy: DecodeRule {
        /// Nothing.
        Full = "full" by full::Full,
        /// SCOPE's sliding strategy: of the decode positions keeps the recent β2 and the β1 heaviest.
        Slide = "slide" by slide::Slide,
        /// SCOPE's adaptive strategy: as `slide`, with a budget that grows with the steps taken.
        Adaptive = "adaptive" by adaptive::Adaptive,
        /// SCOPE's discontinuous strategy: as `adaptive`, but selects only now and then.
        Discontinuous = "discontinuous" by discontinuous::Discontinuous,
        /// H2O over prompt and decode positions together (Zhang et al., arXiv 2306.14048).
        H2o = "h2o" by h2o::H2o,
        /// The earliest positions and the recent ones (Xiao et al., arXiv 2309.17453).
        StreamingLlm = "streamingllm" by streamingllm::StreamingLlm,
        /// As `h2o`, with a budget that falls over the layers (Yang et al., arXiv 2405.12532).
        PyramidInfer = "pyramidinfer" by pyramidinfer::PyramidInfer,
        /// What the newest query attends to least, over everything (Oren et al., arXiv 2401.06104).
        Tova = "tova" by tova::Tova,
        /// `slide` by the attention of all steps, the older the less. Not the paper's.
        DecayedSlide = "decayed-slide" by decayed_slide::DecayedSlide,
        /// `h2o` by the attention of all steps, the older the less. Not the paper's.
        DecayedH2o = "decayed-h2o" by decayed_h2o::DecayedH2o,
    }
}
