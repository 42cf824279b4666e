//! Properties that hold for all rules, lengths and numbers.

use burn::tensor::Tensor;
use kvscope::cache::{CacheType, DecodeStrategy, ScopeCache};
use proptest::prelude::*;

use crate::support::devices;
use crate::support::plain_cache::drive::{Random, config, tensor};
use crate::support::plain_cache::plain::PlainRules;
use crate::support::plain_cache::suite::{PREFILL, SPLIT, UNIFIED};

/// Budgets, window and recent positions in any relation that is allowed.
fn any_rules() -> impl Strategy<Value = PlainRules> {
    let decode: Vec<&str> = SPLIT.into_iter().chain(UNIFIED).collect();
    (
        (1..4_usize, 1..3_usize, 1..4_usize),
        prop::sample::select(PREFILL.to_vec()),
        (1..7_usize, 1..12_usize, 0..3_usize, 1..9_usize),
        prop::sample::select(decode),
        (0..7_usize, 1..12_usize, 1..40_usize, 0.0..=1.0_f64),
        prop::bool::ANY,
    )
        .prop_map(
            |(
                (layers, kv_heads, group),
                prefill,
                (window, more, kernel, beta),
                decode,
                (recent, heavy, max_new_tokens, decay),
                average,
            )| PlainRules {
                layers,
                query_heads: kv_heads * group,
                kv_heads,
                head_dim: 4,
                prefill: prefill.to_owned(),
                prefill_budget: window + more,
                window,
                kernel: 2 * kernel + 1,
                pooling: if average { "avgpool" } else { "maxpool" }.to_owned(),
                beta,
                decode: decode.to_owned(),
                decode_budget: recent + heavy,
                recent,
                max_new_tokens,
                decay,
            },
        )
}

fn positions(cache: &ScopeCache, layer: usize) -> Vec<Vec<usize>> {
    let retained = pollster::block_on(cache.retained(layer)).expect("readable");
    let heads = retained.into_iter();
    heads
        .map(|head| head.positions.into_iter().map(|p| p as usize).collect())
        .collect()
}

fn prompt(cache: &mut ScopeCache, layer: usize, count: usize, random: &mut Random) {
    let config = cache.config().clone();
    let mut any = |heads: usize| -> Tensor<3> {
        let values = random.values(heads * count * config.head_dim);
        tensor(values, [heads, count, config.head_dim], &devices::flex())
    };
    let (queries, keys, values) = (
        any(config.query_heads),
        any(config.kv_heads),
        any(config.kv_heads),
    );
    cache
        .append(layer, queries, keys, values)
        .expect("a fitting prompt");
}

fn step(cache: &mut ScopeCache, layer: usize, random: &mut Random) {
    let config = cache.config().clone();
    let mut any = |heads: usize| -> Tensor<2> {
        tensor(
            random.values(heads * config.head_dim),
            [heads, config.head_dim],
            &devices::flex(),
        )
    };
    let (query, key, value) = (
        any(config.query_heads),
        any(config.kv_heads),
        any(config.kv_heads),
    );
    cache
        .step(layer, query, key, value)
        .expect("a fitting token");
}

/// Bytes of the live tensors, from their shapes.
fn allocated(cache: &ScopeCache) -> u64 {
    let sizes = cache.allocations().into_iter();
    sizes
        .map(|tensor| tensor.shape.iter().product::<usize>() as u64 * tensor.dtype.size() as u64)
        .sum()
}

/// The most a head may hold after a step at which its strategy acted; `kept` is what prefill kept.
fn limit(rules: &PlainRules, strict: bool, kept: usize, step: usize, layer: usize) -> usize {
    let heavy = rules.decode_budget - rules.recent;
    let interval = (rules.max_new_tokens.saturating_sub(rules.recent) / heavy).max(1);
    let grown = step / interval;
    match rules.decode.as_str() {
        "adaptive" | "discontinuous" => {
            kept + rules.recent + if strict { grown.min(heavy) } else { grown }
        }
        "pyramidinfer" => {
            let mean = rules.prefill_budget + heavy;
            let largest = 2 * mean - mean / 2;
            rules.recent + largest - layer * ((largest - mean / 2) / rules.layers)
        }
        _ => kept + rules.decode_budget,
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_turn_keeps_its_promises(
        rules in any_rules(),
        prompt_length in 1..50_usize,
        steps in 1..45_usize,
        strict in prop::bool::ANY,
        half in prop::bool::ANY,
        block in 1..40_usize,
        seed in any::<u64>(),
    ) {
        let cache_type = if half { CacheType::F16 } else { CacheType::F32 };
        let config = config(&rules, cache_type).with_strict_budget(strict).with_block(block);
        let mut cache = config.init(&devices::flex()).expect("valid rules");
        let mut random = Random(seed);
        let split = SPLIT.contains(&rules.decode.as_str());

        for layer in 0..rules.layers {
            prompt(&mut cache, layer, prompt_length, &mut random);
            prop_assert_eq!(cache.memory().held_bytes, allocated(&cache));
            cache.finish_prefill(layer).expect("an open prompt");
            prop_assert_eq!(cache.memory().held_bytes, allocated(&cache));
            let window = rules.window.min(prompt_length);
            for held in positions(&cache, layer) {
                let last: Vec<_> = (prompt_length - window..prompt_length).collect();
                prop_assert_eq!(&held[held.len() - window..], last);
            }
        }
        let mut before: Vec<_> = (0..rules.layers).map(|layer| positions(&cache, layer)).collect();
        let of_prompt = before.clone();

        for number in 0..steps {
            for layer in 0..rules.layers {
                step(&mut cache, layer, &mut random);
                let newest = prompt_length + number;
                let after = positions(&cache, layer);
                let selections = cache.selections(layer).expect("a layer");
                let acted = selections.last().is_some_and(|last| last.contains(&newest));
                for (head, held) in after.iter().enumerate() {
                    let host = cache.held(layer).expect("a layer")[head];
                    prop_assert_eq!(host.held, held.len());
                    prop_assert!(held.windows(2).all(|pair| pair[0] < pair[1]));
                    let held_before = &before[layer][head];
                    let mut kept = held.iter().filter(|held| **held != newest);
                    prop_assert!(kept.all(|held| held_before.contains(held)));
                    if acted {
                        let prefill = of_prompt[layer][head].len();
                        let most = limit(&rules, strict, prefill, number, layer);
                        prop_assert!(held.len() <= most, "{} slots held, {} allowed", held.len(), most);
                    } else {
                        prop_assert_eq!(held.len(), held_before.len() + 1);
                    }
                    if rules.decode != "tova" {
                        let recent = rules.recent.min(number + 1);
                        let mut recent = newest + 1 - recent..=newest;
                        prop_assert!(recent.all(|recent| held.contains(&recent)));
                    }
                    if split {
                        prop_assert!(of_prompt[layer][head].iter().all(|kept| held.contains(kept)));
                    }
                }
                before[layer] = after;
                let memory = cache.memory();
                prop_assert_eq!(memory.held_bytes, allocated(&cache));
                prop_assert!(memory.held_bytes <= memory.held_high_water);
                prop_assert!(memory.held_bytes <= memory.full_bytes);
                prop_assert!(memory.full_bytes <= memory.full_high_water);
            }
        }
        prop_assert_eq!(cache.position(), prompt_length + steps);
    }

    /// Bounded strategies allocate no slot that their rule can't fill.
    #[test]
    fn memory_stays_within_the_rules_need(
        rules in any_rules(),
        prompt_length in 1..50_usize,
        block in 1..40_usize,
    ) {
        let config = config(&rules, CacheType::F32).with_block(block);
        let mut cache = config.init(&devices::flex()).expect("valid rules");
        let mut random = Random(1);
        prompt(&mut cache, 0, prompt_length, &mut random);
        cache.finish_prefill(0).expect("an open prompt");
        let kept = cache.held(0).expect("a layer")[0].held;
        for _ in 0..rules.max_new_tokens {
            step(&mut cache, 0, &mut random);
        }
        let heavy = rules.decode_budget - rules.recent;
        let patience = match config.decode {
            DecodeStrategy::Discontinuous => (rules.max_new_tokens.saturating_sub(rules.recent) / heavy).max(1),
            _ => 0,
        };
        let most = match config.decode {
            DecodeStrategy::Full => (kept + rules.max_new_tokens).next_multiple_of(block) + block,
            _ => kept.max(limit(&rules, false, kept, rules.max_new_tokens - 1, 0)) + patience,
        };
        // One more, since the new token has its slot before another is freed.
        for tensor in cache.allocations().iter().filter(|tensor| tensor.layer == 0) {
            prop_assert!(tensor.shape[1] <= most + 1, "{} slots, {} needed", tensor.shape[1], most + 1);
        }
    }
}
