//! The end of a prefill: what is kept of the prompt, and the memory that is given back.

use burn::tensor::{Bool, Tensor};

use super::attention::{self, Sight};
use super::budget::TurnBudgets;
use super::config::ScopeCacheConfig;
use super::decode::HeadSlots;
use super::layer::LayerCache;
use super::prefill::{Evidence, Needs, Prompt};
use super::select;
use super::store::SlotStore;

impl LayerCache {
    /// Compresses the open prompt, if there is one, by `config`'s prefill method.
    pub(super) fn finish_prefill(&mut self, config: &ScopeCacheConfig, layer: usize) {
        let (Some(turn), Some(store)) = (self.state.turn.take(), self.store.take()) else {
            return;
        };
        let state = &mut self.state;
        let budgets = TurnBudgets::resolve(config, state.seen, config.max_new_tokens);
        let choice = Choice {
            config,
            budgets,
            width: turn.width,
            seen: state.seen,
            before_window: state
                .heads
                .iter()
                .map(|head| kept_before_window(config, layer, budgets, head.held))
                .collect(),
        };
        let mut dropped = false;
        for (head, kept) in state.heads.iter_mut().zip(&choice.before_window) {
            let held = head.held.min(kept + budgets.window);
            dropped |= held < head.held;
            *head = HeadSlots {
                prefill: held,
                held,
            };
        }
        state.budgets = budgets;
        state.boundary = state.seen;
        state.prompt_slots = state.most_held();
        state.waited = 0;
        if dropped {
            state.unbroken = state.unbroken.min(budgets.window);
        }

        let queries = self.queries.take();
        let capacity = state.decode_capacity(state.prompt_slots + 1, config, layer);
        self.store = Some(if dropped {
            let (store, kept) = choice.make(store, queries);
            store.keep(kept, capacity)
        } else {
            store.resized(capacity)
        });
    }
}

/// How many positions before the window a head keeps that holds `held`. A prompt shorter than the budget is kept whole.
fn kept_before_window(
    config: &ScopeCacheConfig,
    layer: usize,
    budgets: TurnBudgets,
    held: usize,
) -> usize {
    let before = held.saturating_sub(budgets.window);
    if held < budgets.prefill {
        return before;
    }
    let prompt = Prompt {
        length: held,
        layer,
        budgets,
    };
    config
        .prefill
        .rule()
        .keep(&prompt)
        .map_or(before, |kept| kept.min(before))
}

/// What has to be known to choose the slots that stay.
struct Choice<'a> {
    config: &'a ScopeCacheConfig,
    budgets: TurnBudgets,
    /// Slots in use; positions ascend along them.
    width: usize,
    /// Tokens seen, the prompt's included.
    seen: usize,
    /// How many slots before the window each head keeps.
    before_window: Vec<usize>,
}

impl Choice<'_> {
    /// Which slots stay, `[kv_heads, capacity]`, and the store with the scores by which that was decided.
    fn make(
        &self,
        mut store: SlotStore,
        queries: Option<Tensor<3>>,
    ) -> (SlotStore, Tensor<2, Bool>) {
        let rule = self.config.prefill.rule();
        let [heads, capacity] = store.positions.dims();
        // The window is the last slots in use, in every head.
        let before = self.width - self.budgets.window.min(self.width);
        let attention = match (rule.needs(), queries) {
            (Needs::WindowQueries, Some(queries)) => self.window_attention(&store, queries),
            _ => store.scores.clone().narrow(1, 0, self.width),
        };
        let scores = rule.score(Evidence {
            attention: attention.clone().narrow(1, 0, before),
            pooling: self.config.pooling,
            kernel: self.config.kernel,
        });

        let positions = store.positions.clone().narrow(1, 0, before);
        let held = positions.clone().greater_equal_elem(0);
        let chosen = select::rank(scores.as_ref(), &positions, &held)
            .lower(select::per_head(&self.before_window, &positions))
            .bool_and(held);
        let window = store
            .positions
            .clone()
            .narrow(1, before, capacity - before)
            .greater_equal_elem(0);
        if let Some(scores) = scores {
            let window = attention.narrow(1, before, self.width - before);
            let scores = Tensor::cat(vec![scores, window], 1);
            store.scores = store.scores.slice_assign([0..heads, 0..self.width], scores);
        }
        (store, Tensor::cat(vec![chosen, window], 1))
    }

    /// The attention that the window's queries, or all of the turn's if they are fewer, give to the slots in use.
    fn window_attention(&self, store: &SlotStore, queries: Tensor<3>) -> Tensor<2> {
        let [_, count, _] = queries.dims();
        let positions = store.positions.clone().narrow(1, 0, self.width);
        let first = self.seen - count;
        let sight = Sight::Causal { first };
        let keys = store.keys.read(self.width);
        let probabilities = attention::probabilities(queries, keys, positions, sight);
        attention::group_mean(probabilities)
    }
}
