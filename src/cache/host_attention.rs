//! Attention of one token on the CPU, over rows as they lie in memory.
//!
//! Tensor operations would first copy all rows to f32, at every step.

use burn::tensor::{Tensor, TensorData};

use super::store::SlotStore;
use crate::kernels::attention_scale;

/// A token's attention over everything held.
pub(super) struct Attended {
    /// The slots' weights, `[kv_heads, group, 1, slots]`.
    pub probabilities: Tensor<4>,
    /// The weighted values, `[query_heads, 1, head_dim]`.
    pub output: Tensor<3>,
}

/// Attention of the newest of `seen` tokens, whose row is in the store. `query` is `[query_heads,
/// 1, head_dim]` in f32, as the stored keys are. [`SlotStore::is_on_host`] must be true.
pub(super) fn attend(query: &Tensor<3>, store: SlotStore, seen: usize) -> (SlotStore, Attended) {
    let [query_heads, _, dim] = query.dims();
    let [heads, slots] = store.positions.dims();
    let device = store.device();
    #[expect(clippy::expect_used, reason = "a CPU's memory is always readable")]
    let positions: Vec<i64> = store
        .positions
        .to_data()
        .try_into_vec_as()
        .expect("integers");
    #[expect(clippy::expect_used, reason = "a CPU's memory is always readable")]
    let queries: Vec<f32> = query.to_data().try_into_vec_as().expect("f32");
    let group = query_heads / heads.max(1);
    let heads_of = |kv: usize| kv * group..(kv + 1) * group;
    let (store, (weights, output)) = store.on_host(seen, |keys, values| {
        vectorized(
            #[inline(always)]
            || {
                let scale = attention_scale(dim);
                let scaled: Vec<f32> = queries.iter().map(|element| element * scale).collect();
                let mut weights = vec![f32::NEG_INFINITY; query_heads * slots];
                keys.each_held(&positions, |kv, slot, key| {
                    for head in heads_of(kv) {
                        let logit = dot(&scaled[head * dim..][..dim], key);
                        // One that is infinite spoils the output as NaN: the caller has to see it.
                        weights[head * slots + slot] = logit + 0.0 * logit;
                    }
                });
                weights.chunks_mut(slots.max(1)).for_each(softmax);
                let mut output = vec![0.0; query_heads * dim];
                values.each_held(&positions, |kv, slot, value| {
                    for head in heads_of(kv) {
                        let weight = weights[head * slots + slot];
                        let sums = &mut output[head * dim..][..dim];
                        for (sum, element) in sums.iter_mut().zip(value) {
                            *sum += weight * element;
                        }
                    }
                });
                (weights, output)
            },
        )
    });
    let probabilities = TensorData::new(weights, [heads, group, 1, slots]);
    let output = TensorData::new(output, [query_heads, 1, dim]);
    let attended = Attended {
        probabilities: Tensor::from_data(probabilities, &device),
        output: Tensor::from_data(output, &device),
    };
    (store, attended)
}

/// Runs `work`, and what is inlined into it, with the widest vectors that the processor has.
#[cfg(not(target_family = "wasm"))]
fn vectorized<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// Runs `work`.
#[cfg(target_family = "wasm")]
fn vectorized<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// Sums side by side, so that the compiler can use vectors.
const LANES: usize = 8;

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    let (b_lanes, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + e) + (b + f)) + ((c + g) + (d + h)) + rest
}

/// Logits to weights, which sum to 1; −∞ to 0.
#[inline(always)]
fn softmax(logits: &mut [f32]) {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for logit in &mut *logits {
        *logit = (*logit - most).exp();
        sum += *logit;
    }
    logits.iter_mut().for_each(|weight| *weight /= sum);
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution, Tensor};

    use super::super::attention::{self, Sight};
    use super::super::{Budget, CacheType, DecodeStrategy, ScopeCacheConfig};
    use super::attend;

    fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
        Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
    }

    fn assert_close<const D: usize>(found: Tensor<D>, expected: Tensor<D>) {
        let off = (found - expected).abs().max().into_scalar::<f32>();
        assert!(off < 1e-5, "{off}");
    }

    /// Some slots are empty, and some rows are exact.
    #[test]
    fn weights_and_output_are_those_of_tensor_operations() {
        for &cache_type in CacheType::ALL {
            let mut cache = ScopeCacheConfig::new(1, 6, 2, 32)
                .with_cache_type(cache_type)
                .with_decode(DecodeStrategy::Slide)
                .with_decode_budget(Budget::Slots(9))
                .with_recent(4)
                .init(&Device::flex())
                .unwrap();
            let prompt = [6, 2, 2].map(|heads| random([heads, 50, 32]));
            let [queries, keys, values] = prompt;
            cache.append(0, queries, keys, values).unwrap();
            cache.finish_prefill(0).unwrap();
            for _ in 0..20 {
                let [query, key, value] = [6, 2, 2].map(|heads| random([heads, 32]));
                cache.step(0, query, key, value).unwrap();
            }
            let store = cache.layers[0].store.clone().unwrap();
            let query = random([6, 1, 32]);
            let (slots, held) = (store.capacity(), store.held(70));
            let [keys, values] = [&store.keys, &store.values].map(|rows| rows.read(slots, held));
            let positions = store.positions.clone();
            let weights =
                attention::probabilities(query.clone(), keys, positions, Sight::Everything);
            let output = attention::output(weights.clone(), values);
            assert!(store.is_on_host());
            let (_, attended) = attend(&query, store, 70);
            assert_close(attended.probabilities, weights);
            assert_close(attended.output, output);
        }
    }
}
