//! Budgets: how many slots a head may use, and how a fraction becomes a number of slots.

use serde::{Deserialize, Serialize};

use super::Policy;

/// Slots that a head may use in one phase.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// A number of slots.
    Slots(usize),
    /// A fraction of the prompt. In a later turn of a chat the prompt is everything seen so far,
    /// evicted or not. Fractions of the slots held would shrink a conversation with every turn.
    OfPrompt(f32),
    /// A fraction of [`Policy::max_new_tokens`]; for the decode budget only.
    OfExpected(f32),
}

impl Budget {
    /// The number of slots, rounded down, for a prompt of `prompt` tokens before `expected` new
    /// ones. A fraction gives at least `least`. So a small one of a short prompt leaves room for
    /// the positions always kept.
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

/// The numbers of one turn, known once the prompt's length is. Greek letters are the paper's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnBudgets {
    /// A = α1 + α2: slots per head for the prompt.
    pub prefill: usize,
    /// α2: the last prompt positions, always kept.
    pub window: usize,
    /// B = β1 + β2: slots per head for the output.
    pub decode: usize,
    /// β2: the newest positions, always kept.
    pub recent: usize,
    /// T: tokens expected to be decoded.
    pub expected: usize,
    /// L: the model's layers.
    pub layers: usize,
}

impl TurnBudgets {
    /// The numbers by `policy` in a model of `layers` layers, after `prompt` tokens.
    pub fn resolve(policy: &Policy, layers: usize, prompt: usize) -> Self {
        let (window, recent) = (policy.observation_window, policy.recent);
        let expected = policy.max_new_tokens;
        let slots = |budget: Budget, least| budget.slots(prompt, expected, least);
        Self {
            prefill: slots(policy.prefill_budget, window + 1),
            window,
            decode: slots(policy.decode_budget, recent + 1),
            recent,
            expected,
            layers,
        }
    }

    /// α1 = A − α2: the prefill budget beside the observation window.
    pub fn before_window(&self) -> usize {
        self.prefill.saturating_sub(self.window)
    }

    /// β1 = B − β2: the heavy hitters.
    pub fn heavy(&self) -> usize {
        self.decode.saturating_sub(self.recent)
    }

    /// δ = (T − β2) div (B − β2), at least 1: steps after which an adaptive budget grows by one.
    pub fn interval(&self) -> usize {
        self.expected
            .saturating_sub(self.recent)
            .checked_div(self.heavy())
            .unwrap_or(1)
            .max(1)
    }
}
