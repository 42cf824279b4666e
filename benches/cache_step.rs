//! Cache work of one decode step for one layer, per strategy, on the CPU device:
//! `cargo bench --bench cache_step`.
//!
//! `step` is all of it: the token's slot, attention, selection. `write` is the part that moves
//! data: the token's key and value into their slot. Sizes are of SmolLM2-135M's layers (9 query
//! heads on 3 KV heads of 64), f32.

#![cfg(not(target_family = "wasm"))]

use std::hint::black_box;

use burn::tensor::{Device, Distribution, Tensor};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use kvscope::cache::{Budget, CacheType, DecodeStrategy, ScopeCache, ScopeCacheConfig};

const QUERY_HEADS: usize = 9;
const KV_HEADS: usize = 3;
const HEAD_DIM: usize = 64;
/// Decode slots; the rest are the prompt's.
const DECODE: usize = 256;

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

fn step(cache: &mut ScopeCache, token: &[Tensor<2>; 3]) -> Tensor<2> {
    let [query, key, value] = token.clone();
    cache.step(0, query, key, value).expect("a fitting token")
}

/// A cache with `slots` slots per head, which has just begun to evict, if its strategy does.
fn filled(
    decode: DecodeStrategy,
    slots: usize,
    token: &[Tensor<2>; 3],
    device: &Device,
) -> ScopeCache {
    let prompt = slots - DECODE;
    let mut cache = ScopeCacheConfig::new(1, QUERY_HEADS, KV_HEADS, HEAD_DIM)
        .with_cache_type(CacheType::F32)
        // PyramidInfer's one layer holds about prompt plus budget of the others.
        .with_prefill_budget(Budget::Slots(prompt * 2 / 3))
        .with_decode(decode)
        .with_decode_budget(Budget::Slots(DECODE))
        .with_recent(64)
        .with_max_new_tokens(DECODE + 64)
        .init(device)
        .expect("valid");
    let any = |heads| random([heads, prompt, HEAD_DIM], device);
    cache
        .append(0, any(QUERY_HEADS), any(KV_HEADS), any(KV_HEADS))
        .expect("a prompt");
    cache.finish_prefill(0).expect("an open prompt");
    for _ in 0..DECODE {
        step(&mut cache, token);
    }
    cache
}

fn decode_step(criterion: &mut Criterion) {
    let device = Device::flex();
    let token = [QUERY_HEADS, KV_HEADS, KV_HEADS].map(|heads| random([heads, HEAD_DIM], &device));
    for slots in [1024, 4096, 16384] {
        let mut group = criterion.benchmark_group(format!("step/{slots}"));
        for decode in DecodeStrategy::ALL {
            let mut cache = filled(*decode, slots, &token, &device);
            let grown = decode == &DecodeStrategy::Full;
            let fresh = cache.clone();
            group.bench_function(BenchmarkId::from_parameter(decode), |bencher| {
                bencher.iter(|| {
                    // A full cache grows: restart before it is much larger than the others.
                    if grown && cache.position() > slots + DECODE {
                        cache = fresh.clone();
                    }
                    black_box(step(&mut cache, &token))
                });
            });
        }
        group.finish();
    }
}

/// Data moved per step: a row of keys and one of values per head, into a free slot.
fn write(criterion: &mut Criterion) {
    use burn::tensor::Int;
    use burn::tensor::ops::IndexingUpdateOp;

    let device = Device::flex();
    let mut group = criterion.benchmark_group("write");
    for slots in [1024, 4096, 16384] {
        let row = random([KV_HEADS, HEAD_DIM], &device);
        let mut rows = [(); 2].map(|()| Some(random([KV_HEADS * slots, HEAD_DIM], &device)));
        let index = Tensor::<1, Int>::arange_step(0..(KV_HEADS * slots) as i64, slots, &device);
        group.bench_function(BenchmarkId::from_parameter(slots), |bencher| {
            bencher.iter(|| {
                for rows in &mut rows {
                    let taken = rows.take().expect("put back below");
                    *rows = Some(taken.select_assign(
                        0,
                        index.clone(),
                        row.clone(),
                        IndexingUpdateOp::Assign,
                    ));
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decode_step, write);
criterion_main!(benches);
