//! Window: the rules of a layer whose queries see only the newest positions (Beltagy et al., arXiv
//! 2004.05150, section 3.1).
//!
//! The model asks for it, whatever the policy. After each token, the layer keeps the W − 1 newest
//! positions. The next query will see these and its own.

use super::budget::TurnBudgets;
use super::decode::{DecodeRule, Scope, UNIFIED};
use super::order::RankedBy;
use super::parameter::Parameters;
use super::prefill::{PrefillRule, Prompt, Score};
use super::state::HeadSlots;
use super::{Policy, Turn};

/// The rules of one layer: the policy's, or those of the layer's window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayerRules<'a> {
    pub policy: &'a Policy,
    /// The layer, from 0.
    pub layer: usize,
    /// L: the model's layers.
    pub layers: usize,
    /// W: newest positions that a query sees, its own among them; `None` for all.
    pub window: Option<usize>,
}

impl<'a> LayerRules<'a> {
    /// The rule of a prompt's end.
    pub(super) fn prefill(&self) -> &'static dyn PrefillRule {
        match self.window {
            Some(_) => &Window,
            None => self.policy.prefill.rule(),
        }
    }

    /// The rule of a decode step.
    pub(super) fn decode(&self) -> &'static dyn DecodeRule {
        match self.window {
            Some(_) => &Window,
            None => self.policy.decode.rule(),
        }
    }

    /// The score that ranks a prompt's positions.
    pub fn score(&self) -> Score {
        self.prefill().score(&self.policy.parameters)
    }

    /// The numbers of a turn after `prompt` tokens.
    pub fn budgets(&self, prompt: usize) -> TurnBudgets {
        let budgets = TurnBudgets::resolve(self.policy, self.layers, prompt);
        match self.window {
            None => budgets,
            Some(window) => {
                let kept = window.saturating_sub(1);
                TurnBudgets {
                    prefill: kept,
                    window: kept,
                    decode: kept,
                    recent: kept,
                    ..budgets
                }
            }
        }
    }

    /// The point at which a rule is asked.
    pub(super) fn turn(&self, budgets: TurnBudgets) -> Turn<'a> {
        Turn::new(self.policy, budgets, self.layer)
    }
}

/// The newest W − 1 positions, which are the turn's window and its recent ones.
struct Window;

impl PrefillRule for Window {
    fn score(&self, _parameters: &Parameters) -> Score {
        Score::Position
    }

    fn keep_count(&self, _prompt: &Prompt<'_>) -> Option<usize> {
        Some(0)
    }
}

impl DecodeRule for Window {
    fn scope(&self) -> Scope {
        Scope {
            ranked_by: RankedBy::Position,
            ..UNIFIED
        }
    }

    fn keep_count(&self, head: HeadSlots, _step: usize, turn: &Turn<'_>) -> Option<usize> {
        (head.held > turn.budgets.recent).then_some(0)
    }

    fn max_slots(&self, prefill: usize, turn: &Turn<'_>) -> Option<usize> {
        Some(prefill.max(turn.budgets.recent) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::order::{Order, Recent, decide, finish_prompt};
    use super::super::state::LayerState;
    use super::super::{Budget, DecodeStrategy, PrefillMethod};
    use super::*;

    /// A policy that must not matter.
    fn other() -> Policy {
        Policy {
            prefill: PrefillMethod::SnapKv,
            prefill_budget: Budget::Slots(12),
            observation_window: 4,
            decode: DecodeStrategy::DecayedSlide,
            decode_budget: Budget::Slots(3),
            recent: 2,
            ..Policy::default()
        }
    }

    fn windowed(policy: &Policy) -> LayerRules<'_> {
        LayerRules {
            policy,
            layer: 0,
            layers: 1,
            window: Some(6),
        }
    }

    #[test]
    fn a_long_prompt_keeps_what_the_next_query_sees_and_a_short_one_all() {
        for (length, held) in [(1, 1), (4, 4), (5, 5), (6, 5), (30, 5)] {
            let policy = other();
            let mut state = LayerState::new(2);
            state.append(state.open_turn(), length);
            let order = finish_prompt(&mut state, windowed(&policy)).expect("an open prompt");
            assert_eq!(state.most_held(), held, "{length}");
            assert_eq!(order.drops, held < length);
            assert_eq!(order.score, Score::Position);
        }
    }

    #[test]
    fn each_step_drops_the_oldest_position_once_the_window_is_full() {
        let policy = other();
        let rules = windowed(&policy);
        let mut state = LayerState::new(1);
        state.append(state.open_turn(), 3);
        finish_prompt(&mut state, rules);
        for held in [4, 5] {
            assert_eq!(decide(&mut state, rules), Order::default());
            assert_eq!(state.most_held(), held);
        }
        for newest in 5..30 {
            let order = decide(&mut state, rules);
            let expected = Order {
                evicted: vec![1],
                recent: Recent::From(newest - 4),
                ranked_by: RankedBy::Position,
                scored: true,
                ..Order::default()
            };
            assert_eq!(order, expected);
            assert_eq!(state.most_held(), 5);
        }
        assert!(state.selections.is_empty(), "no policy has chosen");
        assert!(state.decode_capacity(state.most_held() + 1, rules) <= 6);
    }

    #[test]
    fn a_window_of_one_holds_nothing_between_tokens() {
        let policy = other();
        let rules = LayerRules {
            window: Some(1),
            ..windowed(&policy)
        };
        let mut state = LayerState::new(1);
        state.append(state.open_turn(), 3);
        finish_prompt(&mut state, rules);
        for _ in 0..3 {
            assert_eq!(state.most_held(), 0);
            assert_eq!(decide(&mut state, rules).evicted, [1]);
        }
    }
}
