//! One decode step of one layer: the token takes its slot, attention, and the policy's order
//! carried out by tensors.

use burn::tensor::{Bool, FloatDType, Int, Tensor};

use super::attention::{self, Sight};
use super::buffers::unpooled;
use super::config::ScopeCacheConfig;
use super::host_attention::{self, Attended};
use super::layer::LayerCache;
use super::select::{self, EMPTY};
use super::store::SlotStore;
use crate::policy::{Order, RankedBy, Recent, decide};

/// Evictions per head and step that are found one after the other. More than these are found by
/// ranking all candidates.
const ONE_BY_ONE: usize = 16;

/// A token's query `[query_heads, head_dim]`, key and value `[kv_heads, head_dim]`.
pub(super) struct Token {
    pub query: Tensor<2>,
    pub key: Tensor<2>,
    pub value: Tensor<2>,
}

impl LayerCache {
    /// Returns the token's attention, `[query_heads, head_dim]` in f32, over everything held and
    /// itself; then evicts. `None` before any prompt.
    pub(super) fn step(
        &mut self,
        token: Token,
        config: &ScopeCacheConfig,
        layer: usize,
    ) -> Option<Tensor<2>> {
        let mut store = self.store.take()?;
        let (state, rules) = (&mut self.state, config.rules(layer));
        let capacity = state.decode_capacity(state.most_held() + 1, rules);
        if capacity > store.capacity() {
            store = store.grow(capacity);
        }
        let newest = state.seen;
        store = store.put(token.key, token.value, newest);
        let order = decide(state, rules);

        let query = token.query.cast(FloatDType::F32).unsqueeze_dim::<3>(1);
        let query = store.query(query);
        let (mut store, attended) = attend(&query, store, newest + 1);
        let device = store.device();
        let before = (order.carry > 0.0).then(|| store.scores_without(newest));
        let evidence = (attended.probabilities, before);
        store.scores = unpooled(&device, evidence, |(probabilities, before)| {
            let attention = attention::group_mean(probabilities);
            match before {
                Some(before) => before * order.carry + attention,
                None => attention,
            }
        });
        let output = store.output(attended.output);

        if order.evicts() {
            store.positions = unpooled(&device, (), |()| without_evicted(&order, &store));
        }
        self.store = Some(store);
        Some(output.squeeze_dim::<2>(1))
    }
}

/// Attention of the newest of `seen` tokens, on whichever device the store is.
fn attend(query: &Tensor<3>, store: SlotStore, seen: usize) -> (SlotStore, Attended) {
    if store.is_on_host() {
        return host_attention::attend(query, store, seen);
    }
    let slots = store.capacity();
    let positions = store.positions.clone();
    let keys = store.keys.read(slots, store.held(seen));
    let probabilities = attention::probabilities(query.clone(), keys, positions, Sight::Everything);
    let values = store.values.read(slots, store.held(seen));
    let output = attention::output(probabilities.clone(), values);
    let attended = Attended {
        probabilities,
        output,
    };
    (store, attended)
}

/// The positions, with those of the slots that `order` evicts emptied.
fn without_evicted(order: &Order, store: &SlotStore) -> Tensor<2, Int> {
    let most = order.evicted.iter().copied().max().unwrap_or(0);
    let scores = match order.ranked_by {
        RankedBy::Attention => Some(&store.scores),
        RankedBy::Position => None,
    };
    let barred = barred(order, &store.positions);
    if most > ONE_BY_ONE {
        return without_lowest(&order.evicted, store.positions.clone(), scores, barred);
    }
    let mut positions = store.positions.clone();
    for turn in 0..most {
        // Slots emptied by an earlier turn are no candidates any more.
        let mut barred = barred.clone();
        if turn > 0 {
            barred = barred.bool_or(positions.clone().lower_elem(0));
        }
        if order.evicted.iter().any(|count| *count <= turn) {
            let done = select::per_head(&order.evicted, &positions).lower_equal_elem(turn as i64);
            barred = barred.bool_or(done);
        }
        positions = select::evict_lowest(positions, scores, barred);
    }
    positions
}

/// The positions without the lowest `evicted` of each head, by ranking all candidates.
fn without_lowest(
    evicted: &[usize],
    positions: Tensor<2, Int>,
    scores: Option<&Tensor<2>>,
    barred: Tensor<2, Bool>,
) -> Tensor<2, Int> {
    let candidates = barred.bool_not();
    let rank = select::rank(scores, &positions, &candidates);
    let shape = positions.dims();
    let stay =
        candidates.clone().int().sum_dim(1).expand(shape) - select::per_head(evicted, &positions);
    let evicted = rank.greater_equal(stay).bool_and(candidates);
    positions.mask_fill(evicted, EMPTY)
}

/// Slots that `order` can't evict: empty ones, recent ones, and those before its first position.
fn barred(order: &Order, positions: &Tensor<2, Int>) -> Tensor<2, Bool> {
    let outside = positions.clone().lower_elem(order.from_position as i64);
    let recent = match &order.recent {
        Recent::From(first) => positions.clone().greater_equal_elem(*first as i64),
        Recent::Rank(counts) => {
            let held = positions.clone().greater_equal_elem(0);
            let before = select::rank(None, positions, &held);
            before.greater_equal(select::per_head(counts, positions))
        }
    };
    outside.bool_or(recent)
}

#[cfg(test)]
#[cfg(not(target_family = "wasm"))]
mod tests {
    use burn::tensor::{Device, Distribution, Tensor};

    use super::super::{Budget, CacheType, DecodeStrategy, ScopeCache, ScopeCacheConfig};
    use crate::device::{Gpu, GpuOptions};

    fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
        Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
    }

    /// Slots' positions, keys and values as they lie in memory.
    fn memory(cache: &ScopeCache) -> (Vec<i32>, Vec<Vec<f32>>) {
        let store = cache.layers[0].store.as_ref().unwrap();
        let slots = store.capacity();
        let held = store.held(cache.position());
        let rows = [&store.keys, &store.values].map(|rows| rows.read(slots, held));
        let rows = Tensor::cat(rows.into(), 2);
        let [_, _, width] = rows.dims();
        let rows: Vec<f32> = rows.into_data().try_into_vec_as().unwrap();
        let positions = store
            .positions
            .clone()
            .into_data()
            .try_into_vec_as()
            .unwrap();
        (positions, rows.chunks(width).map(<[f32]>::to_vec).collect())
    }

    #[test]
    fn kept_slots_do_not_move() {
        for decode in DecodeStrategy::ALL {
            let mut cache = ScopeCacheConfig::new(1, 4, 2, 8)
                .with_cache_type(CacheType::F32)
                .with_decode(*decode)
                .with_decode_budget(Budget::Slots(9))
                .with_prefill_budget(Budget::Slots(15))
                .with_recent(3)
                .with_max_new_tokens(40)
                .with_block(64)
                .init(&Device::flex())
                .unwrap();
            cache
                .append(
                    0,
                    random([4, 20, 8]),
                    random([2, 20, 8]),
                    random([2, 20, 8]),
                )
                .unwrap();
            cache.finish_prefill(0).unwrap();
            let mut before = memory(&cache);
            for step in 0..40 {
                cache
                    .step(0, random([4, 8]), random([2, 8]), random([2, 8]))
                    .unwrap();
                let after = memory(&cache);
                let changed: Vec<usize> = (0..after.1.len())
                    .filter(|slot| before.1[*slot] != after.1[*slot])
                    .collect();
                assert!(
                    changed.len() <= 2,
                    "{decode}, step {step}: one row a head at most"
                );
                for (slot, position) in after.0.iter().enumerate() {
                    let kept = *position >= 0 && *position < 20 + step;
                    assert!(
                        !kept || (before.0[slot] == *position && !changed.contains(&slot)),
                        "{decode}, step {step}: slot {slot} was not left alone"
                    );
                }
                before = after;
            }
        }
    }

    /// A write copies a whole tensor when something else still refers to it.
    #[test]
    fn after_a_step_nothing_else_holds_the_memory() {
        let gpu = Gpu::open_blocking(GpuOptions::default()).unwrap();
        let any = |heads| Tensor::<2>::ones([heads, 8], gpu.device());
        for cache_type in [CacheType::F16, CacheType::F32] {
            let mut cache = ScopeCacheConfig::new(1, 4, 2, 8)
                .with_cache_type(cache_type)
                .with_decode(DecodeStrategy::Slide)
                .with_decode_budget(Budget::Slots(4))
                .with_recent(2)
                .init(gpu.device())
                .unwrap();
            let prompt = |heads| Tensor::<3>::ones([heads, 5, 8], gpu.device());
            cache.append(0, prompt(4), prompt(2), prompt(2)).unwrap();
            cache.finish_prefill(0).unwrap();
            for _ in 0..10 {
                cache.step(0, any(4), any(2), any(2)).unwrap();
                let store = cache.layers[0].store.as_ref().unwrap();
                assert!(store.keys.is_unshared() && store.values.is_unshared());
                assert!(store.positions.can_mut());
            }
        }
    }
}
