//! One decode step of one layer: the token takes its slot, attention, eviction.

use burn::tensor::{Bool, FloatDType, Int, Tensor};

use super::attention::{self, Sight};
use super::buffers::unpooled;
use super::config::ScopeCacheConfig;
use super::decode::{RankedBy, Step};
use super::layer::{LayerCache, LayerState};
use super::select::{self, EMPTY};
use super::store::SlotStore;

/// Up to so many evictions a step are found one after the other; more of them by ranking all candidates.
const ONE_BY_ONE: usize = 16;

/// A token's query `[query_heads, head_dim]`, key and value `[kv_heads, head_dim]`.
pub(super) struct Token {
    pub query: Tensor<2>,
    pub key: Tensor<2>,
    pub value: Tensor<2>,
}

impl LayerCache {
    /// Returns the token's attention, `[query_heads, head_dim]` in f32, over everything held and itself; then evicts.
    /// There must be a finished prefill.
    pub(super) fn step(
        &mut self,
        token: Token,
        config: &ScopeCacheConfig,
        layer: usize,
    ) -> Option<Tensor<2>> {
        let mut store = self.store.take()?;
        let state = &mut self.state;
        let capacity = state.decode_capacity(state.most_held() + 1, config, layer);
        if capacity > store.capacity() {
            store = store.grow(capacity);
        }
        let newest = state.seen;
        store = store.put(token.key, token.value, newest);

        let query = token.query.cast(FloatDType::F32).unsqueeze_dim::<3>(1);
        let slots = store.capacity();
        let positions = store.positions.clone();
        let keys = store.keys.read(slots);
        let probabilities = attention::probabilities(query, keys, positions, Sight::Everything);
        let device = store.device();
        let ranked_by = config.decode.rule().scope().ranked_by;
        let decay = ranked_by.decay(state.step(), config.decay);
        let before = (decay > 0.0).then(|| store.scores_without(newest));
        let evidence = (probabilities.clone(), before);
        store.scores = unpooled(&device, evidence, |(probabilities, before)| {
            let attention = attention::group_mean(probabilities);
            match before {
                Some(before) => before * decay + attention,
                None => attention,
            }
        });
        let output = attention::output(probabilities, store.values.read(slots));

        let eviction = state.advance(config, layer);
        if let Some(eviction) = eviction {
            let device = store.device();
            store.positions = unpooled(&device, (), |()| eviction.apply(&store));
        }
        self.store = Some(store);
        Some(output.squeeze_dim::<2>(1))
    }
}

impl LayerState {
    /// Counts a token that the layer has taken in, and decides what the strategy drops after it. All of this follows from
    /// the rules and numbers alone; which slots they are is found on the device.
    pub(super) fn advance(&mut self, config: &ScopeCacheConfig, layer: usize) -> Option<Eviction> {
        let now = Step {
            step: self.step(),
            layer,
            budgets: self.budgets,
        };
        let newest = self.seen;
        for head in &mut self.heads {
            head.held += 1;
        }
        self.seen += 1;
        self.unbroken += 1;

        let rule = config.decode.rule();
        let keep: Vec<Option<usize>> = self
            .heads
            .iter()
            .map(|head| rule.keep(*head, &now))
            .collect();
        if !acts(&keep, &mut self.waited, rule.patience(&now.budgets)) {
            return None;
        }
        self.note_selection(newest);

        let scope = rule.scope();
        let recent = if scope.keeps_recent {
            now.budgets.recent
        } else {
            0
        };
        let evicted: Vec<usize> = self
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
            return None;
        }
        // The recent positions are simply the last ones, unless some of those were dropped earlier.
        let recent = if self.unbroken >= recent {
            Recent::From((newest + 1).saturating_sub(recent))
        } else {
            let heads = self.heads.iter();
            Recent::Rank(heads.map(|head| head.held.saturating_sub(recent)).collect())
        };
        let first = if scope.prompt_too { 0 } else { self.boundary };
        for (head, evicted) in self.heads.iter_mut().zip(&evicted) {
            head.held -= evicted;
        }
        if scope.keeps_recent {
            self.unbroken = self.unbroken.min(now.budgets.recent);
        } else {
            self.unbroken = 0;
        }
        Some(Eviction {
            ranked_by: scope.ranked_by,
            first,
            recent,
            evicted,
        })
    }
}

/// Whether the rule acts: it would in some head, and has let pass what its patience asks for.
pub(super) fn acts(keep: &[Option<usize>], waited: &mut usize, patience: usize) -> bool {
    if keep.iter().all(Option::is_none) {
        return false;
    }
    if *waited < patience {
        *waited += 1;
        return false;
    }
    *waited = 0;
    true
}

/// One eviction, decided: what remains is to find the slots.
pub(super) struct Eviction {
    pub ranked_by: RankedBy,
    /// Positions before this one are left alone.
    pub first: usize,
    /// What is kept because it is new.
    pub recent: Recent,
    /// How many slots each head loses.
    pub evicted: Vec<usize>,
}

/// The positions that are kept because they are new.
pub(super) enum Recent {
    /// From this one on.
    From(usize),
    /// In each head those that so many held positions stand before.
    Rank(Vec<usize>),
}

impl Eviction {
    /// The positions with the evicted slots' emptied.
    fn apply(&self, store: &SlotStore) -> Tensor<2, Int> {
        let most = self.evicted.iter().copied().max().unwrap_or(0);
        let scores = match self.ranked_by {
            RankedBy::Attention | RankedBy::DecayedAttention => Some(&store.scores),
            RankedBy::Position => None,
        };
        let barred = self.barred(&store.positions);
        if most > ONE_BY_ONE {
            return self.by_rank(store.positions.clone(), scores, barred);
        }
        let mut positions = store.positions.clone();
        for turn in 0..most {
            // Slots emptied by an earlier turn are no candidates any more.
            let mut barred = barred.clone();
            if turn > 0 {
                barred = barred.bool_or(positions.clone().lower_elem(0));
            }
            if self.evicted.iter().any(|count| *count <= turn) {
                let done =
                    select::per_head(&self.evicted, &positions).lower_equal_elem(turn as i64);
                barred = barred.bool_or(done);
            }
            positions = select::evict_lowest(positions, scores, barred);
        }
        positions
    }

    fn by_rank(
        &self,
        positions: Tensor<2, Int>,
        scores: Option<&Tensor<2>>,
        barred: Tensor<2, Bool>,
    ) -> Tensor<2, Int> {
        let candidates = barred.bool_not();
        let rank = select::rank(scores, &positions, &candidates);
        let shape = positions.dims();
        let stay = candidates.clone().int().sum_dim(1).expand(shape)
            - select::per_head(&self.evicted, &positions);
        let evicted = rank.greater_equal(stay).bool_and(candidates);
        positions.mask_fill(evicted, EMPTY)
    }

    /// Slots that can't be evicted: empty ones, the recent, and where the scope leaves them alone, the prompt's.
    fn barred(&self, positions: &Tensor<2, Int>) -> Tensor<2, Bool> {
        let outside = positions.clone().lower_elem(self.first as i64);
        let recent = match &self.recent {
            Recent::From(first) => positions.clone().greater_equal_elem(*first as i64),
            Recent::Rank(counts) => {
                let held = positions.clone().greater_equal_elem(0);
                let before = select::rank(None, positions, &held);
                before.greater_equal(select::per_head(counts, positions))
            }
        };
        outside.bool_or(recent)
    }
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
        let rows = Tensor::cat(vec![store.keys.read(slots), store.values.read(slots)], 2);
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
