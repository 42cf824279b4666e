//! The end of a prefill: the policy's order carried out by tensors, and memory released.

use burn::tensor::{Bool, Tensor};

use super::attention::{self, Sight};
use super::config::ScopeCacheConfig;
use super::layer::LayerCache;
use super::pool;
use super::select;
use super::store::SlotStore;
use crate::policy::{PromptOrder, Queries, finish_prompt};

impl LayerCache {
    /// Compresses the open prompt, if there is one, by `config`'s prefill method.
    pub(super) fn finish_prefill(&mut self, config: &ScopeCacheConfig, layer: usize) {
        let rules = config.rules(layer);
        let Some(store) = self.store.take() else {
            return;
        };
        let Some(order) = finish_prompt(&mut self.state, rules) else {
            self.store = Some(store);
            return;
        };
        let (state, queries) = (&self.state, self.queries.take());
        let needed = state.prompt_slots + 1;
        let capacity = state.decode_capacity(needed, rules);
        let types = config.cache_type;
        let framing = store.framing(types, self.squares.take(), state.seen);
        let store = if order.drops {
            let (store, kept) = selected(&order, store, queries, state.seen);
            store.keep(kept, capacity)
        } else {
            store.resized(capacity)
        };
        self.store = Some(match framing {
            Some(framing) => store.framed(types, framing),
            None => store.close(state.seen),
        });
    }
}

/// The slots that stay, `[kv_heads, capacity]`, and the store with the scores that decided it.
/// `seen` tokens were seen, the prompt's included.
fn selected(
    order: &PromptOrder,
    mut store: SlotStore,
    queries: Option<Tensor<3>>,
    seen: usize,
) -> (SlotStore, Tensor<2, Bool>) {
    let PromptOrder { score, width, .. } = *order;
    let [heads, capacity] = store.positions.dims();
    // The window is the last slots in use, in every head.
    let before = width - order.window.min(width);
    let attention = score.evidence().map(|asked| match (asked, queries) {
        (Queries::Window, Some(queries)) => window_attention(&store, queries, width, seen),
        _ => store.scores.clone().narrow(1, 0, width),
    });
    let scores = attention
        .as_ref()
        .map(|attention| pool::scores(score, attention.clone().narrow(1, 0, before)));

    let positions = store.positions.clone().narrow(1, 0, before);
    let held = positions.clone().greater_equal_elem(0);
    let chosen = select::rank(scores.as_ref(), &positions, &held)
        .lower(select::per_head(&order.kept, &positions))
        .bool_and(held);
    let window = store
        .positions
        .clone()
        .narrow(1, before, capacity - before)
        .greater_equal_elem(0);
    if let (Some(scores), Some(attention)) = (scores, attention) {
        let window = attention.narrow(1, before, width - before);
        let scores = Tensor::cat(vec![scores, window], 1);
        store.scores = store.scores.slice_assign([0..heads, 0..width], scores);
    }
    (store, Tensor::cat(vec![chosen, window], 1))
}

/// Attention on the first `width` slots from the window's queries, or from all of the turn's if
/// they are fewer.
fn window_attention(store: &SlotStore, queries: Tensor<3>, width: usize, seen: usize) -> Tensor<2> {
    let [_, count, _] = queries.dims();
    let positions = store.positions.clone().narrow(1, 0, width);
    let sight = Sight::Causal {
        first: seen - count,
        window: None,
    };
    let keys = store.keys.read(width, store.held(seen));
    let probabilities = attention::probabilities(queries, keys, positions, sight);
    attention::group_mean(probabilities)
}
