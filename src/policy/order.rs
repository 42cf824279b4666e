//! Orders: what a layer does with its slots, in numbers. The slots themselves are found by whoever
//! carries an order out, tensors or fused kernels.

use super::Turn;
use super::prefill::{Prompt, Score};
use super::state::{HeadSlots, LayerState};
use super::window::LayerRules;

/// Work of a layer after the attention of one decode step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Order {
    /// Slots that each head loses, `[kv_heads]`; empty if none does.
    pub evicted: Vec<usize>,
    /// Positions before this one are left alone.
    pub from_position: usize,
    /// Positions that are kept because they are new.
    pub recent: Recent,
    /// Rank of the slots; the lowest go.
    pub ranked_by: RankedBy,
    /// Factor by which the previous step's scores carry over into this step's.
    pub carry: f32,
    /// The step's scores are needed, now or by a later step.
    pub scored: bool,
}

/// Positions that are kept because they are new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recent {
    /// Positions from this one on.
    From(usize),
    /// In each head, the positions that come after so many held ones, `[kv_heads]`. Where newest
    /// positions were evicted earlier, no one position divides all heads.
    Rank(Vec<usize>),
}

impl Default for Recent {
    fn default() -> Self {
        Self::From(0)
    }
}

/// Rank of held positions. Of equal scores the later position goes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RankedBy {
    /// Scores: the lowest goes first.
    #[default]
    Attention,
    /// Positions: the latest goes first.
    Position,
}

impl Order {
    /// The order drops slots.
    pub fn evicts(&self) -> bool {
        !self.evicted.is_empty()
    }
}

/// Slots that a layer keeps of a finished prompt.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PromptOrder {
    /// Rank of the positions before the window.
    pub score: Score,
    /// Positions before the window that each head keeps, `[kv_heads]`.
    pub kept: Vec<usize>,
    /// The last positions in use, which are kept.
    pub window: usize,
    /// Slots in use.
    pub width: usize,
    /// Some head loses slots.
    pub drops: bool,
}

/// Counts a token that a layer has taken in, and decides what the layer does after its attention.
pub(crate) fn decide(state: &mut LayerState, rules: LayerRules<'_>) -> Order {
    let (step, newest) = (state.step(), state.seen);
    state.take_in(1);

    let rule = rules.decode();
    let turn = rules.turn(state.budgets);
    let carry = rule.carry(&turn);
    let quiet = Order {
        // The scores left by the prompt are of another kind: they don't carry over.
        carry: carry.filter(|_| step > 0).unwrap_or(0.0),
        // Scores that add up are needed at every step.
        scored: carry.is_some(),
        ..Order::default()
    };
    let heads = state.heads.iter();
    let keep: Vec<_> = heads
        .map(|head| rule.keep_count(*head, step, &turn))
        .collect();
    if !is_due(&keep, &mut state.skipped, rule.skips(&turn)) {
        return quiet;
    }
    if rules.window.is_none() {
        state.note_selection(newest);
    }

    let scope = rule.scope();
    let recent = scope.recent(turn.budgets.recent);
    let evicted: Vec<usize> = state
        .heads
        .iter()
        .zip(&keep)
        .map(|(head, keep)| {
            let among = if scope.prompt_too {
                head.held
            } else {
                head.decode()
            };
            keep.map_or(0, |keep| among.saturating_sub(recent).saturating_sub(keep))
        })
        .collect();
    if evicted.iter().all(|count| *count == 0) {
        return quiet;
    }
    // The recent positions are the last ones, unless some of those were dropped earlier.
    let kept_recent = if state.recent_run >= recent {
        Recent::From(state.seen.saturating_sub(recent))
    } else {
        let heads = state.heads.iter();
        Recent::Rank(heads.map(|head| head.held.saturating_sub(recent)).collect())
    };
    for (head, evicted) in state.heads.iter_mut().zip(&evicted) {
        head.held -= evicted;
    }
    state.recent_run = state.recent_run.min(recent);
    Order {
        evicted,
        from_position: if scope.prompt_too { 0 } else { state.boundary },
        recent: kept_recent,
        ranked_by: scope.ranked_by,
        scored: true,
        ..quiet
    }
}

/// The strategy acts now: it would in some head, and has skipped as many times as it has to.
fn is_due(keep: &[Option<usize>], skipped: &mut usize, skips: usize) -> bool {
    if keep.iter().all(Option::is_none) {
        return false;
    }
    if *skipped < skips {
        *skipped += 1;
        return false;
    }
    *skipped = 0;
    true
}

/// The steps that the strategy had skipped when the turn was where it is now.
///
/// The count follows from the numbers alone, so the steps since the prefill are decided once more.
pub(super) fn replayed_skips(state: &LayerState, rules: LayerRules<'_>) -> usize {
    let turn = rules.turn(state.budgets);
    if rules.decode().skips(&turn) == 0 {
        return 0;
    }
    let kept = state.most_prefill();
    let head = HeadSlots {
        prefill: kept,
        held: kept,
    };
    let mut again = LayerState {
        heads: vec![head],
        seen: state.boundary,
        boundary: state.boundary,
        budgets: state.budgets,
        ..LayerState::default()
    };
    for _ in 0..state.step() {
        decide(&mut again, rules);
    }
    again.skipped
}

/// Ends a layer's open prompt, and decides which positions stay; `None` if no prompt is open.
pub(crate) fn finish_prompt(state: &mut LayerState, rules: LayerRules<'_>) -> Option<PromptOrder> {
    let open = state.turn.take()?;
    let budgets = rules.budgets(state.seen);
    let turn = rules.turn(budgets);
    let heads = state.heads.iter();
    let kept: Vec<usize> = heads
        .map(|head| kept_before_window(rules, turn, head.held))
        .collect();
    let mut drops = false;
    for (head, kept) in state.heads.iter_mut().zip(&kept) {
        let held = head.held.min(kept + budgets.window);
        drops |= held < head.held;
        *head = HeadSlots {
            prefill: held,
            held,
        };
    }
    state.budgets = budgets;
    state.boundary = state.seen;
    state.prompt_slots = state.most_held();
    state.skipped = 0;
    if drops {
        state.recent_run = state.recent_run.min(budgets.window);
    }
    Some(PromptOrder {
        score: rules.score(),
        kept,
        window: budgets.window,
        width: open.width,
        drops,
    })
}

/// Positions before the window that a head keeps of `held`. A prompt shorter than the budget is
/// kept whole.
fn kept_before_window(rules: LayerRules<'_>, turn: Turn<'_>, held: usize) -> usize {
    let before = held.saturating_sub(turn.budgets.window);
    if held < turn.budgets.prefill {
        return before;
    }
    let prompt = Prompt { length: held, turn };
    let kept = rules.prefill().keep_count(&prompt);
    kept.map_or(before, |kept| kept.min(before))
}

#[cfg(test)]
mod tests {
    use super::super::{Budget, DecodeStrategy, Policy, PrefillMethod};
    use super::*;

    /// One head and one layer after a prompt of 20 tokens, with A = 10, α2 = 4, B = 6, β2 = 2.
    fn decoding(prefill: PrefillMethod, decode: DecodeStrategy) -> (Policy, LayerState) {
        let policy = Policy {
            prefill,
            prefill_budget: Budget::Slots(10),
            observation_window: 4,
            decode,
            decode_budget: Budget::Slots(6),
            recent: 2,
            max_new_tokens: 30,
            ..Policy::default()
        };
        let mut state = LayerState::new(1);
        state.append(state.open_turn(), 20);
        finish_prompt(&mut state, policy.of_layer((0, 1))).expect("an open prompt");
        (policy, state)
    }

    #[test]
    fn a_prompt_keeps_its_budget_and_its_window() {
        let (policy, _) = decoding(PrefillMethod::SnapKv, DecodeStrategy::Full);
        let mut state = LayerState::new(2);
        state.append(state.open_turn(), 12);
        state.append(state.open_turn(), 8);
        let order = finish_prompt(&mut state, policy.of_layer((0, 1))).expect("an open prompt");
        assert_eq!((order.kept, order.window, order.width), (vec![6, 6], 4, 20));
        assert!(order.drops);
        assert_eq!(
            (state.boundary, state.prompt_slots, state.step()),
            (20, 10, 0)
        );
        assert_eq!(finish_prompt(&mut state, policy.of_layer((0, 1))), None);
    }

    #[test]
    fn slide_drops_one_slot_per_step_once_its_budget_is_full() {
        let (policy, mut state) = decoding(PrefillMethod::SnapKv, DecodeStrategy::Slide);
        for step in 0..6 {
            assert_eq!(
                decide(&mut state, policy.of_layer((0, 1))),
                Order::default(),
                "step {step}"
            );
        }
        let order = decide(&mut state, policy.of_layer((0, 1)));
        let expected = Order {
            evicted: vec![1],
            from_position: 20,
            recent: Recent::From(25),
            scored: true,
            ..Order::default()
        };
        assert_eq!(order, expected);
        assert_eq!(state.heads[0].held, 16);
        assert_eq!(state.selections.first(), Some(&(26..27)));
        assert_eq!(state.selections.len(), 1);
    }

    #[test]
    fn decayed_strategies_score_every_step_and_carry_over_from_the_second() {
        let (policy, mut state) = decoding(PrefillMethod::Full, DecodeStrategy::DecayedSlide);
        let orders: Vec<Order> = (0..3)
            .map(|_| decide(&mut state, policy.of_layer((0, 1))))
            .collect();
        assert!(orders.iter().all(|order| order.scored && !order.evicts()));
        let carried: Vec<f32> = orders.iter().map(|order| order.carry).collect();
        assert_eq!(carried, [0.0, 0.99, 0.99]);
    }

    #[test]
    fn tova_may_drop_new_tokens_so_that_later_recent_ones_are_ranked() {
        let (mut policy, mut state) = decoding(PrefillMethod::Full, DecodeStrategy::Tova);
        for _ in 0..7 {
            decide(&mut state, policy.of_layer((0, 1)));
        }
        assert_eq!(state.recent_run, 0);
        policy.decode = DecodeStrategy::H2o;
        let order = decide(&mut state, policy.of_layer((0, 1)));
        assert_eq!(order.recent, Recent::Rank(vec![25]));
        assert_eq!((order.evicted, order.from_position), (vec![1], 0));
    }

    #[test]
    fn skips_are_the_same_when_they_are_replayed() {
        let (policy, mut state) = decoding(PrefillMethod::SnapKv, DecodeStrategy::Discontinuous);
        let mut skipped = Vec::new();
        for _ in 0..30 {
            skipped.push(state.skipped);
            decide(&mut state, policy.of_layer((0, 1)));
        }
        assert!(skipped.iter().any(|skipped| *skipped > 1));
        for (step, skipped) in skipped.iter().enumerate() {
            let mut before = state.clone();
            before.truncate(20 + step, &[10], 0, policy.of_layer((0, 1)));
            assert_eq!(before.skipped, *skipped, "step {step}");
        }
    }
}
