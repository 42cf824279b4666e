//! Bytes, worked out by hand.

use burn::tensor::{Device, Tensor};
use kvscope::cache::{
    Allocation, Budget, CacheType, DecodeStrategy, PrefillMethod, ScopeCache, ScopeCacheConfig,
};
use kvscope::device::{Gpu, GpuOptions};

use crate::support::devices;

/// One layer of two KV heads of eight elements in f16. A slot takes 2 heads × (2 rows × 8 × 2 bytes
/// + position + score).
const SLOT: u64 = 2 * (2 * 8 * 2 + 4 + 4);

fn cache(prefill: PrefillMethod, decode: DecodeStrategy, device: &Device) -> ScopeCache {
    ScopeCacheConfig::new(1, 4, 2, 8)
        .with_prefill(prefill)
        .with_prefill_budget(Budget::Slots(14))
        .with_observation_window(4)
        .with_decode(decode)
        .with_decode_budget(Budget::Slots(40))
        .with_recent(3)
        .with_block(16)
        .init(device)
        .expect("valid")
}

fn append(cache: &mut ScopeCache, count: usize, device: &Device) {
    let any = |heads| Tensor::<3>::ones([heads, count, 8], device);
    cache.append(0, any(4), any(2), any(2)).expect("a prompt");
}

fn step(cache: &mut ScopeCache, device: &Device) {
    let any = |heads| Tensor::<2>::ones([heads, 8], device);
    cache.step(0, any(4), any(2), any(2)).expect("a token");
}

fn slots(cache: &ScopeCache) -> (u64, u64) {
    let memory = cache.memory();
    assert_eq!((memory.held_bytes % SLOT, memory.full_bytes % SLOT), (0, 0));
    (memory.held_bytes / SLOT, memory.full_bytes / SLOT)
}

fn counts_what_is_allocated(device: &Device) {
    let mut cache = cache(PrefillMethod::StreamingLlm, DecodeStrategy::Slide, device);
    assert_eq!(slots(&cache), (0, 0));
    append(&mut cache, 90, device);
    assert_eq!(slots(&cache), (96, 96), "the prompt in blocks of 16");
    append(&mut cache, 10, device);
    assert_eq!(slots(&cache), (112, 112));
    cache.finish_prefill(0).expect("an open prompt");
    assert_eq!(
        slots(&cache),
        (14 + 16, 100 + 16),
        "what is kept, and a block for what comes"
    );
    for _ in 0..17 {
        step(&mut cache, device);
    }
    assert_eq!(slots(&cache), (14 + 32, 100 + 32));
    for _ in 17..100 {
        step(&mut cache, device);
    }
    assert_eq!(
        slots(&cache),
        (14 + 41, 100 + 112),
        "no more than the budget and the new token"
    );
    assert_eq!(cache.memory().saved_bytes() as u64, (212 - 55) * SLOT);
}

#[test]
fn counts_what_is_allocated_on_the_cpu() {
    counts_what_is_allocated(&devices::flex());
}

#[test]
fn counts_what_is_allocated_on_webgpu() {
    counts_what_is_allocated(&devices::gpu());
}

#[test]
fn high_water_marks_count_both_sides_of_a_replacement() {
    let device = devices::flex();
    let mut cache = cache(PrefillMethod::StreamingLlm, DecodeStrategy::Slide, &device);
    append(&mut cache, 100, &device);
    assert_eq!(slots(&cache), (112, 112));
    assert_eq!(cache.memory().held_high_water, 112 * SLOT);
    cache.finish_prefill(0).expect("an open prompt");
    let rows = 2 * 8 * 2;
    assert_eq!(
        cache.memory().held_high_water,
        112 * SLOT + 30 * rows,
        "the kept keys beside the whole prompt"
    );
    for _ in 0..1000 {
        step(&mut cache, &device);
    }
    // Keys, positions and scores have grown, values exist old and new.
    let full = 100 + 1008;
    let last_but_one = full - 16;
    assert_eq!(
        cache.memory().full_high_water,
        last_but_one * SLOT + 16 * rows + full * rows
    );
    assert_eq!(cache.memory().held_high_water, 112 * SLOT + 30 * rows);
}

#[test]
fn what_was_reserved_is_one_allocation() {
    let device = devices::flex();
    let mut cache = cache(PrefillMethod::Full, DecodeStrategy::Full, &device);
    cache.reserve(100);
    append(&mut cache, 10, &device);
    assert_eq!(slots(&cache), (100, 100));
    append(&mut cache, 90, &device);
    assert_eq!(slots(&cache), (100, 100));
    append(&mut cache, 1, &device);
    assert_eq!(
        slots(&cache),
        (112, 112),
        "more than was said comes in blocks"
    );
    cache.finish_prefill(0).expect("an open prompt");
    assert_eq!(slots(&cache), (117, 117));
}

/// Also when the layers take the prompt one after the other.
#[test]
fn every_layer_reserves() {
    let device = devices::flex();
    let mut cache = ScopeCacheConfig::new(3, 4, 2, 8)
        .init(&device)
        .expect("valid");
    cache.reserve(100);
    for layer in 0..3 {
        for count in [10, 90] {
            let any = |heads| Tensor::<3>::ones([heads, count, 8], &device);
            cache
                .append(layer, any(4), any(2), any(2))
                .expect("a prompt");
            let last = cache.allocations().pop().expect("tensors");
            assert_eq!((last.layer, last.shape[1]), (layer, 100));
        }
        cache.finish_prefill(layer).expect("an open prompt");
    }
    // The next prompt is another one.
    let any = |heads| Tensor::<3>::ones([heads, 10, 8], &device);
    cache.append(0, any(4), any(2), any(2)).expect("a prompt");
    assert_eq!(cache.allocations()[0].shape[1], 128);
}

#[test]
fn going_back_gives_memory_back() {
    let device = devices::flex();
    let mut cache = cache(PrefillMethod::Full, DecodeStrategy::Full, &device);
    append(&mut cache, 50, &device);
    cache.finish_prefill(0).expect("an open prompt");
    for _ in 0..100 {
        step(&mut cache, &device);
    }
    assert_eq!(slots(&cache), (50 + 112, 50 + 112));
    pollster::block_on(cache.truncate(60)).expect("readable");
    assert_eq!(slots(&cache), (50 + 16, 50 + 16));
    pollster::block_on(cache.truncate(20)).expect("readable");
    assert_eq!(slots(&cache), (20 + 16, 20 + 16));
    pollster::block_on(cache.truncate(0)).expect("readable");
    assert_eq!(slots(&cache), (0, 0));
    assert!(cache.memory().held_high_water > 162 * SLOT);
    cache.reset();
    assert_eq!(cache.memory(), kvscope::cache::MemoryReport::default());
}

/// Half the bytes a key or value in f16, also where the device packs two in a u32.
#[test]
fn f16_takes_half_of_f32() {
    for device in [devices::flex(), devices::gpu()] {
        let rows = [CacheType::F16, CacheType::F32].map(|cache_type| {
            let config = ScopeCacheConfig::new(1, 4, 2, 8).with_cache_type(cache_type);
            let mut cache = config.init(&device).expect("valid");
            append(&mut cache, 64, &device);
            let allocations = cache.allocations().into_iter();
            let rows = allocations.filter(|tensor| ["keys", "values"].contains(&tensor.tensor));
            rows.map(|tensor| tensor.bytes()).sum::<u64>()
        });
        assert_eq!(rows, [2 * 2 * 64 * 8 * 2, 2 * 2 * 64 * 8 * 4]);
    }
}

/// No step moves more than one of a few layers. Each gets one block per block's tokens, and a full
/// cache counts the same.
#[test]
fn layers_take_turns_in_growing() {
    const LAYERS: usize = 5;
    const BLOCK: usize = 16;
    let device = devices::flex();
    let mut cache = ScopeCacheConfig::new(LAYERS, 4, 2, 8)
        .with_block(BLOCK)
        .init(&device)
        .expect("valid");
    for layer in 0..LAYERS {
        let rows = |heads| Tensor::<3>::ones([heads, 21, 8], &device);
        cache
            .append(layer, rows(4), rows(2), rows(2))
            .expect("a prompt");
        cache.finish_prefill(layer).expect("an open prompt");
    }
    let capacities = |cache: &ScopeCache| -> Vec<usize> {
        let allocations = cache.allocations().into_iter();
        let positions = allocations.filter(|it| it.tensor == "positions");
        positions.map(|it| it.shape[1]).collect()
    };
    let mut before = capacities(&cache);
    let mut grown = vec![0; LAYERS];
    for _ in 0..3 * BLOCK {
        for layer in 0..LAYERS {
            let row = |heads| Tensor::<2>::ones([heads, 8], &device);
            cache.step(layer, row(4), row(2), row(2)).expect("a token");
        }
        assert_eq!(cache.memory().saved_bytes(), 0);
        let after = capacities(&cache);
        let moved: Vec<usize> = (0..LAYERS).filter(|at| after[*at] != before[*at]).collect();
        assert!(moved.len() <= 1, "{moved:?}");
        for layer in moved {
            assert_eq!(after[layer], before[layer] + BLOCK);
            grown[layer] += 1;
        }
        before = after;
    }
    assert!(
        grown.iter().all(|times| (2..=3).contains(times)),
        "{grown:?}"
    );
}

/// Bytes of Gemma 3 270M's layers without a window, and of those with one. The 4,096 tokens are a
/// prompt of 1,024, then steps.
fn gemma_at_4096(decode: DecodeStrategy) -> [u64; 2] {
    const PROMPT: usize = 1024;
    let device = devices::flex();
    let windows = (0..18).map(|layer| (layer % 6 < 5).then_some(512));
    let mut cache = ScopeCacheConfig::new(18, 4, 1, 256)
        .with_windows(windows.collect())
        .with_decode(decode)
        .with_decode_budget(Budget::Slots(512))
        .with_recent(256)
        .init(&device)
        .expect("valid");
    let rows = |heads| Tensor::<3>::ones([heads, PROMPT, 256], &device);
    for layer in 0..18 {
        let appended = cache.append(layer, rows(4), rows(1), rows(1));
        appended.expect("a prompt");
        cache.finish_prefill(layer).expect("an open prompt");
    }
    for _ in PROMPT..4096 {
        for layer in 0..18 {
            let row = |heads| Tensor::<2>::ones([heads, 256], &device);
            cache.step(layer, row(4), row(1), row(1)).expect("a token");
        }
    }
    assert_eq!(cache.position(), 4096);
    let allocations = cache.allocations();
    let bytes = [false, true].map(|is_windowed| {
        let of = allocations.iter().filter(|tensor| {
            let window = cache.config().window(tensor.layer);
            window.is_some() == is_windowed
        });
        of.map(Allocation::bytes).sum()
    });
    assert_eq!(bytes.iter().sum::<u64>(), cache.memory().held_bytes);
    bytes
}

/// The numbers of docs/models.md.
#[test]
#[ignore = "3,072 steps: `cargo xtask parity` runs it"]
fn parity_of_gemmas_memory() {
    // Two rows of 256 in f16, a position and a score.
    const ROW: u64 = 2 * 256 * 2 + 4 + 4;
    let [full, slide] = [DecodeStrategy::Full, DecodeStrategy::Slide].map(gemma_at_4096);
    for (name, [global, windowed]) in [("full", full), ("slide", slide)] {
        println!("{name}: {global} bytes of 3 global layers, {windowed} of 15 with windows");
    }
    assert_eq!(full[1], slide[1]);
    // A block beyond the last position may come on top.
    let at_most = |rows: u64, layers: u64| layers * (rows + 256) * ROW;
    assert!((3 * 4096 * ROW..=at_most(4096, 3)).contains(&full[0]));
    assert!((3 * 1536 * ROW..=at_most(1536, 3)).contains(&slide[0]));
    assert!((15 * 511 * ROW..=at_most(511, 15)).contains(&full[1]));
}

/// The cache's figures against the allocator of a device that holds nothing else. It rounds each
/// allocation up to the alignment that bindings need.
#[test]
fn the_devices_allocator_agrees() {
    let gpu = Gpu::open_blocking(GpuOptions::default()).expect("a WebGPU adapter");
    let device = gpu.device();
    for cache_type in [CacheType::F16, CacheType::F32] {
        for prefill in [PrefillMethod::SnapKv, PrefillMethod::H2o] {
            let mut cache = ScopeCacheConfig::new(2, 4, 2, 64)
                .with_cache_type(cache_type)
                .with_prefill(prefill)
                .with_prefill_budget(Budget::Slots(40))
                .with_decode(DecodeStrategy::Slide)
                .with_decode_budget(Budget::Slots(24))
                .with_recent(8)
                .with_block(16)
                .init(device)
                .expect("valid");
            let agree = |cache: &ScopeCache, when: &str| {
                const ALIGNMENT: u64 = 256;
                device.sync().expect("a working device");
                // burn keeps the parameters of its launches for reuse; they are not the cache's.
                device.memory_cleanup();
                let usage = device.memory_pool_usage().expect("wgpu reports");
                let allocations = cache.allocations();
                let sizes = allocations.iter().map(Allocation::bytes);
                assert_eq!(
                    (usage.number_allocs, usage.bytes_in_use),
                    (
                        allocations.len() as u64,
                        sizes
                            .clone()
                            .map(|size| size.next_multiple_of(ALIGNMENT))
                            .sum(),
                    ),
                    "{cache_type:?}, {prefill:?}, {when}: {allocations:?}"
                );
                assert_eq!(cache.memory().held_bytes, sizes.sum::<u64>());
            };
            let rows = |heads, count| Tensor::<3>::ones([heads, count, 64], device);
            for layer in 0..2 {
                for count in [50, 30] {
                    cache
                        .append(layer, rows(4, count), rows(2, count), rows(2, count))
                        .expect("a prompt");
                    agree(&cache, "during a prompt");
                }
                cache.finish_prefill(layer).expect("an open prompt");
                agree(&cache, "after a prompt");
            }
            for _ in 0..30 {
                for layer in 0..2 {
                    let row = |heads| Tensor::<2>::ones([heads, 64], device);
                    cache.step(layer, row(4), row(2), row(2)).expect("a token");
                }
                agree(&cache, "after a step");
            }
        }
    }
}

/// Bytes per slot of one KV head of 64 elements in f16, with position and score.
const SLOT_OF_64: f64 = 2.0 * 64.0 * 2.0 + 4.0 + 4.0;

/// One layer of one head of 64 elements in `h4`, after a prompt of ones.
fn prompted_h4(config: ScopeCacheConfig, prompt: usize) -> ScopeCache {
    let device = Device::flex();
    let mut cache = config
        .with_cache_type(CacheType::H4)
        .init(&device)
        .expect("valid");
    let any = || Tensor::<3>::ones([1, prompt, 64], &device);
    cache.append(0, any(), any(), any()).expect("a prompt");
    cache.finish_prefill(0).expect("an open prompt");
    cache
}

/// Exact rows and the frame take as much in a short cache as in a long one.
#[test]
fn h4_takes_31_percent_of_f16_from_1757_slots_on() {
    for (slots, within) in [(1756, false), (1757, true), (4096, true)] {
        let config = ScopeCacheConfig::new(1, 1, 1, 64).with_block(16);
        let memory = prompted_h4(config, slots - 16).memory();
        assert_eq!(memory.full_bytes as f64, slots as f64 * SLOT_OF_64);
        let share = memory.held_bytes as f64 / memory.full_bytes as f64;
        assert_eq!(share <= 0.31, within, "{slots} slots: {share}");
    }
}

/// 4,096 tokens after a prompt of as many: the cache has long stopped growing.
#[test]
fn h4_takes_a_tenth_of_f16_where_slots_are_evicted_too() {
    let config = ScopeCacheConfig::new(1, 1, 1, 64)
        .with_prefill(PrefillMethod::SnapKv)
        .with_prefill_budget(Budget::Slots(2048))
        .with_decode(DecodeStrategy::Slide)
        .with_decode_budget(Budget::Slots(512));
    let mut cache = prompted_h4(config, 4096);
    for _ in 0..600 {
        let any = || Tensor::<2>::ones([1, 64], &Device::flex());
        cache.step(0, any(), any(), any()).expect("a token");
    }
    let held = cache.memory().held_bytes as f64;
    assert!(held <= 0.10 * 8192.0 * SLOT_OF_64, "{held}");
}
