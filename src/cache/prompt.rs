//! Prefill: appends a prompt in chunks of any size. `compress.rs` has its end.

use burn::tensor::{FloatDType, Int, Tensor};

use super::attention::{self, Sight};
use super::buffers::{copied_part, unpooled};
use super::config::ScopeCacheConfig;
use super::frame::Frame;
use super::layer::LayerCache;
use super::rows::Rows;
use super::select;
use super::store::SlotStore;
use crate::kernels::{prompt_attention, prompt_attention_takes, prompt_scores, runs_wgsl};
use crate::policy::{LayerState, OpenTurn, Queries, prompt_capacity};

/// A chunk of a prompt: queries `[query_heads, tokens, head_dim]`, keys and values
/// `[kv_heads, tokens, head_dim]`.
pub(super) struct PromptChunk {
    pub queries: Tensor<3>,
    pub keys: Tensor<3>,
    pub values: Tensor<3>,
}

impl LayerCache {
    /// Appends a chunk and returns its attention, `[query_heads, tokens, head_dim]` in f32, over
    /// everything held and the prompt so far. `reserved`: tokens that the prompt is known to have.
    /// `forks`: keeps the evidence of every prefill method, not only of this one.
    pub(super) fn append(
        &mut self,
        chunk: PromptChunk,
        (config, layer): (&ScopeCacheConfig, usize),
        reserved: usize,
        forks: bool,
    ) -> Tensor<3> {
        let window = config.window(layer);
        let PromptChunk {
            queries,
            keys,
            values,
        } = chunk;
        let [_, count, _] = queries.dims();
        let turn = self.state.open_turn();
        let store = self.room_for(turn, count, &keys, config, reserved);

        let first = self.state.seen;
        let store = store.put_range(turn.width, keys, values, first);
        // A fork may ask for keys in a frame.
        if first == turn.new && (forks || config.cache_type.keys.framed()) {
            let queries = queries.clone().cast(FloatDType::F32);
            let squares = Frame::squares(queries, config.kv_heads);
            self.squares = Some(match self.squares.take() {
                Some(before) => before + squares,
                None => squares,
            });
        }
        self.state.append(turn, count);
        let width = turn.width + count;

        let queries = store.query(queries.cast(FloatDType::F32));
        let evidence = config.policy.evidence();
        let needs = |queries| window.is_none() && (forks || evidence == Some(queries));
        let summed = needs(Queries::Every);
        let range = ChunkRange {
            slots: width,
            first,
            window,
        };
        let (output, store) = attend_causally(store, range, &queries, summed);
        let output = store.output(output);
        self.store = Some(store);
        if needs(Queries::Window) {
            self.keep_queries(queries, config.observation_window);
        }
        output
    }

    /// The layer's memory with room for `count` more tokens of `turn`. Held slots are in the order
    /// of their positions.
    fn room_for(
        &mut self,
        turn: OpenTurn,
        count: usize,
        keys: &Tensor<3>,
        config: &ScopeCacheConfig,
        reserved: usize,
    ) -> SlotStore {
        let needed = turn.width + count;
        let before = turn.width - turn.new;
        let roomy = prompt_capacity(needed, before, reserved, config.block);
        let Some(store) = self.store.take() else {
            return SlotStore::empty(config, roomy, &keys.device());
        };
        let seen = self.state.seen;
        if self.state.turn.is_none() {
            let store = in_order(store, &self.state, turn.width, roomy);
            return store.open(roomy - before, seen);
        }
        if needed > store.capacity() {
            return store.grow(roomy).open(roomy - before, seen);
        }
        store
    }

    /// Keeps the turn's last `window` queries.
    fn keep_queries(&mut self, queries: Tensor<3>, window: usize) {
        let queries = match self.queries.take() {
            Some(earlier) => Tensor::cat(vec![earlier, queries], 1),
            None => queries,
        };
        let [_, count, _] = queries.dims();
        let last = count.min(window);
        let device = queries.device();
        self.queries = Some(unpooled(&device, queries, |queries| {
            copied_part(queries, 1, count - last..count)
        }));
    }
}

/// Moves held slots, in the order of their positions, against the end of the first `width` of
/// `capacity` slots. Heads that hold fewer than others then have their empty slots first, like
/// padding.
fn in_order(store: SlotStore, state: &LayerState, width: usize, capacity: usize) -> SlotStore {
    let everything = state.heads.iter().all(|head| head.held == state.seen);
    if everything && capacity >= store.capacity() {
        // Where nothing was ever evicted, the slots are in that order.
        return unscored(store.resized(capacity));
    }
    let held = store.positions.clone().greater_equal_elem(0);
    let missing: Vec<usize> = state.heads.iter().map(|head| width - head.held).collect();
    let places =
        select::order(&store.positions, state.seen) + select::per_head(&missing, &store.positions);
    unscored(store.arrange(places.mask_fill(held.bool_not(), capacity as i64), capacity))
}

/// The store with the scores of earlier turns forgotten: only this turn's queries score.
fn unscored(mut store: SlotStore) -> SlotStore {
    let device = store.device();
    store.scores = unpooled(&device, store.scores, |scores| scores.zeros_like());
    store
}

/// Places that a chunk of a prompt attends to.
#[derive(Clone, Copy)]
struct ChunkRange {
    /// Slots in use, the first ones.
    slots: usize,
    /// The position of the chunk's first query.
    first: usize,
    /// The newest positions that a query sees; `None` for all.
    window: Option<usize>,
}

/// Causal attention of a chunk's queries, a few at a time. `summed`: adds every slot's attention to
/// its score.
fn attend_causally(
    mut store: SlotStore,
    range: ChunkRange,
    queries: &Tensor<3>,
    summed: bool,
) -> (Tensor<3>, SlotStore) {
    let [query_heads, count, dim] = queries.dims();
    if count > 0 && runs_wgsl(&queries.device()) && prompt_attention_takes(dim) {
        return attend_in_place(store, range, queries, summed);
    }
    let ChunkRange {
        slots,
        first,
        window,
    } = range;
    let held = store.held(first + count);
    let keys = store.keys.read(slots, held);
    let values = store.values.read(slots, held);
    let positions: Tensor<2, Int> = store.positions.clone().narrow(1, 0, slots);
    let [heads, _] = positions.dims();
    let tile = attention::tile(query_heads, slots);
    let mut outputs = Vec::with_capacity(count.div_ceil(tile));
    let mut sums: Option<Tensor<2>> = None;
    for start in (0..count).step_by(tile) {
        let taken = tile.min(count - start);
        let queries = queries
            .clone()
            .slice([0..query_heads, start..start + taken, 0..dim]);
        let sight = Sight::Causal {
            first: first + start,
            window,
        };
        let probabilities =
            attention::probabilities(queries, keys.clone(), positions.clone(), sight);
        if summed {
            let sum = attention::group_mean(probabilities.clone());
            sums = Some(match sums {
                Some(sums) => sums + sum,
                None => sum,
            });
        }
        outputs.push(attention::output(probabilities, values.clone()));
    }
    if let Some(sums) = sums {
        let range = [0..heads, 0..slots];
        let scores = store.scores.clone().slice(range.clone()) + sums;
        store.scores = store.scores.slice_assign(range, scores);
    }
    (Tensor::cat(outputs, 1), store)
}

/// [`attend_causally`] by kernels that read the rows as stored and store no probability. Tests hold
/// them to the tensors.
#[expect(clippy::expect_used, reason = "the cache's tensors fit each other")]
fn attend_in_place(
    mut store: SlotStore,
    range: ChunkRange,
    queries: &Tensor<3>,
    summed: bool,
) -> (Tensor<3>, SlotStore) {
    let [_, count, _] = queries.dims();
    let ChunkRange {
        slots,
        first,
        window,
    } = range;
    let held = store.held(first + count);
    let rows = Rows::stored_alike(&store.keys, &store.values, held);
    let [keys, values] = rows.expect("rows of their types");
    let positions = store.positions.clone();
    let (output, stats) = prompt_attention(
        queries.clone(),
        keys.clone(),
        values,
        positions.clone(),
        (slots, first, window),
    )
    .expect("fitting tensors");
    if summed {
        let device = store.device();
        store.scores = unpooled(&device, store.scores, |before| {
            let (keys, positions) = (keys.clone(), positions.clone());
            let rows = (slots, first);
            prompt_scores(
                queries.clone(),
                keys,
                positions,
                stats.clone(),
                before,
                rows,
            )
            .expect("fitting tensors")
        });
    }
    (output, store)
}
