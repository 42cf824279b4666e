//! Budgets: how many slots a head may use, and how a fraction becomes a number of slots.

use serde::{Deserialize, Serialize};

use super::ScopeCacheConfig;

/// How many slots a head may use in one phase.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// So many slots.
    Slots(usize),
    /// This fraction of the prompt. In a later turn of a chat the prompt is everything seen so far, evicted or not:
    /// fractions of what is held would shrink a conversation a little more with every turn.
    OfPrompt(f32),
    /// This fraction of [`ScopeCacheConfig::max_new_tokens`]; for the decode budget only.
    OfExpected(f32),
}

impl Budget {
    /// The number of slots, rounded down, for a prompt of `prompt` tokens after which `expected` are to come; never below
    /// `least`, so that a small fraction of a short prompt still leaves room for what is always kept.
    pub fn slots(self, prompt: usize, expected: usize, least: usize) -> usize {
        let fraction = |share: f32, of: usize| (f64::from(share) * of as f64) as usize;
        match self {
            Self::Slots(slots) => slots,
            Self::OfPrompt(share) => fraction(share, prompt).max(least),
            Self::OfExpected(share) => fraction(share, expected).max(least),
        }
    }
}

impl std::fmt::Display for Budget {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Slots(slots) => write!(formatter, "{slots} slots"),
            Self::OfPrompt(share) => write!(formatter, "{share} of the prompt"),
            Self::OfExpected(share) => write!(formatter, "{share} of the expected new tokens"),
        }
    }
}

/// The numbers that the rules of one turn go by, known once the prompt's length is. Greek letters are the paper's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnBudgets {
    /// A = α1 + α2: slots a head may use for what the prompt leaves.
    pub prefill: usize,
    /// α2: the last prompt positions, always kept.
    pub window: usize,
    /// B = β1 + β2: slots a head may use for what decoding adds.
    pub decode: usize,
    /// β2: the newest positions, always kept.
    pub recent: usize,
    /// T: tokens expected to be decoded.
    pub expected: usize,
    /// β, by which the pyramid's smallest layer is smaller than the mean.
    pub pyramid_beta: usize,
    /// Whether β1(t) stops growing at β1, see [`ScopeCacheConfig::strict_budget`].
    pub strict: bool,
    /// L: the model's layers.
    pub layers: usize,
}

impl TurnBudgets {
    pub(super) fn resolve(config: &ScopeCacheConfig, prompt: usize, expected: usize) -> Self {
        let window = config.observation_window;
        Self {
            prefill: config.prefill_budget.slots(prompt, expected, window + 1),
            window,
            decode: config
                .decode_budget
                .slots(prompt, expected, config.recent + 1),
            recent: config.recent,
            expected,
            pyramid_beta: config.pyramid_beta,
            strict: config.strict_budget,
            layers: config.layers,
        }
    }

    /// α1 = A − α2: what is left of the prefill budget beside the observation window.
    pub fn before_window(&self) -> usize {
        self.prefill.saturating_sub(self.window)
    }

    /// β1 = B − β2: the heavy hitters.
    pub fn heavy(&self) -> usize {
        self.decode.saturating_sub(self.recent)
    }

    /// δ = (T − β2) div (B − β2), at least 1: the steps in which an adaptive budget grows by one.
    pub fn interval(&self) -> usize {
        self.expected
            .saturating_sub(self.recent)
            .checked_div(self.heavy())
            .unwrap_or(1)
            .max(1)
    }

    /// β1(t) = t div δ: the heavy hitters that the adaptive strategies allow at step `t`.
    ///
    /// The published code lets it grow past β1 when `t` does (with T = 80, B = 24 and β2 = 8 it ends at 19 instead of
    /// 16), and so does this, unless the budgets are strict.
    pub fn growing_heavy(&self, step: usize) -> usize {
        let grown = step / self.interval();
        if self.strict {
            grown.min(self.heavy())
        } else {
            grown
        }
    }
}
