//! The rules on any device, against the plain implementation. Native tests and the browser's call
//! the same functions.

use burn::tensor::Device;
use kvscope::cache::{CacheType, CacheTypes, ScopeCache};

use super::drive::{Pair, Random, config, read, tensor};
use super::plain::PlainRules;

/// Two layers of grouped heads and budgets that a few dozen tokens exceed.
pub fn rules(prefill: &str, decode: &str) -> PlainRules {
    PlainRules {
        layers: 2,
        query_heads: 6,
        kv_heads: 2,
        head_dim: 8,
        prefill: prefill.to_owned(),
        prefill_budget: 14,
        window: 4,
        kernel: 5,
        pooling: "maxpool".to_owned(),
        beta: 5,
        decode: decode.to_owned(),
        decode_budget: 9,
        recent: 3,
        max_new_tokens: 24,
        decay: 0.99,
    }
}

pub const PREFILL: [&str; 6] = [
    "full",
    "streamingllm",
    "h2o",
    "snapkv",
    "pyramidkv",
    "pyramidinfer",
];
pub const SPLIT: [&str; 5] = [
    "full",
    "slide",
    "adaptive",
    "discontinuous",
    "decayed-slide",
];
pub const UNIFIED: [&str; 5] = ["h2o", "streamingllm", "pyramidinfer", "tova", "decayed-h2o"];

/// A prompt and 28 steps, more than T.
async fn run(rules: &PlainRules, device: &Device, prompt: usize, seed: u64) {
    let mut pair = Pair::new(rules, device, seed);
    pair.prompt(&[prompt]).await;
    pair.steps(28).await;
}

pub async fn every_prefill_with_every_split_strategy(device: &Device) {
    for (seed, prefill) in PREFILL.iter().enumerate() {
        for decode in SPLIT {
            run(&rules(prefill, decode), device, 31, seed as u64).await;
        }
    }
}

pub async fn every_prefill_with_every_unified_strategy(device: &Device) {
    for (seed, prefill) in PREFILL.iter().enumerate() {
        for decode in UNIFIED {
            run(&rules(prefill, decode), device, 31, 10 + seed as u64).await;
        }
    }
}

/// Every prefill method and every decode strategy, for where time is short.
const ONCE: [(&str, &str); 10] = [
    ("full", "full"),
    ("streamingllm", "streamingllm"),
    ("h2o", "h2o"),
    ("snapkv", "slide"),
    ("pyramidkv", "adaptive"),
    ("pyramidinfer", "pyramidinfer"),
    ("snapkv", "discontinuous"),
    ("h2o", "tova"),
    ("full", "decayed-slide"),
    ("snapkv", "decayed-h2o"),
];

#[cfg(target_family = "wasm")]
pub async fn every_method_once(device: &Device) {
    for (prefill, decode) in ONCE {
        run(&rules(prefill, decode), device, 31, 5).await;
    }
}

/// Shorter than the budget, than the window, and a single token.
pub async fn short_prompts(device: &Device) {
    for (prefill, decode) in [
        ("snapkv", "slide"),
        ("h2o", "h2o"),
        ("pyramidkv", "adaptive"),
        ("pyramidinfer", "pyramidinfer"),
        ("streamingllm", "streamingllm"),
        ("snapkv", "tova"),
    ] {
        for prompt in [1, 3, 4, 13] {
            run(&rules(prefill, decode), device, prompt, 20 + prompt as u64).await;
        }
    }
}

/// A prompt exactly as long as its budget, one longer, and for the pyramid around where it begins.
pub async fn prompts_about_their_budget(device: &Device) {
    for (prefill, decode) in [
        ("snapkv", "slide"),
        ("h2o", "discontinuous"),
        ("pyramidkv", "slide"),
        ("pyramidinfer", "adaptive"),
    ] {
        for prompt in [14, 15, 19, 20, 22, 23, 24] {
            run(&rules(prefill, decode), device, prompt, 30 + prompt as u64).await;
        }
    }
}

/// Fewer tokens expected than are always kept, and strategies that come to their limits from there.
pub async fn few_expected_tokens(device: &Device) {
    for decode in ["slide", "adaptive", "discontinuous"] {
        let mut rules = rules("snapkv", decode);
        rules.max_new_tokens = 2;
        run(&rules, device, 20, 40).await;
    }
}

pub async fn one_layer_one_head(device: &Device) {
    for (prefill, decode) in [
        ("snapkv", "adaptive"),
        ("pyramidkv", "slide"),
        ("pyramidinfer", "pyramidinfer"),
        ("h2o", "tova"),
    ] {
        let mut rules = rules(prefill, decode);
        (rules.layers, rules.query_heads, rules.kv_heads) = (1, 1, 1);
        run(&rules, device, 30, 50).await;
    }
}

/// The smallest budgets there are: nothing recent, one heavy hitter, a window of one.
pub async fn smallest_budgets(device: &Device) {
    for decode in [
        "slide",
        "adaptive",
        "discontinuous",
        "h2o",
        "streamingllm",
        "pyramidinfer",
        "tova",
        "decayed-slide",
        "decayed-h2o",
    ] {
        let mut rules = rules("snapkv", decode);
        (rules.prefill_budget, rules.window, rules.kernel) = (2, 1, 1);
        (rules.decode_budget, rules.recent) = (1, 0);
        run(&rules, device, 12, 60).await;
    }
}

/// From one step's attention alone to all of it for good.
pub async fn any_decay(device: &Device) {
    for decode in ["decayed-slide", "decayed-h2o"] {
        for decay in [0.0, 0.5, 0.9, 1.0] {
            let mut rules = rules("snapkv", decode);
            rules.decay = decay;
            run(&rules, device, 31, 65).await;
        }
    }
}

pub async fn average_pooling(device: &Device) {
    for prefill in ["snapkv", "pyramidkv"] {
        let mut rules = rules(prefill, "slide");
        rules.pooling = "avgpool".to_owned();
        run(&rules, device, 40, 70).await;
    }
}

/// A layer that evicts before as many tokens were decoded as are always kept. The recent positions
/// then reach into the prompt, past the window, where the held positions have gaps.
pub async fn recent_positions_beyond_the_window(device: &Device) {
    let mut rules = rules("snapkv", "pyramidinfer");
    rules.layers = 8;
    (rules.prefill_budget, rules.window) = (20, 2);
    (rules.decode_budget, rules.recent) = (7, 6);
    run(&rules, device, 40, 75).await;
}

/// A whole prompt at a time, which loses more slots per head at once than are evicted singly.
pub async fn many_evictions_at_once(device: &Device) {
    let mut pair = Pair::new(&rules("full", "pyramidinfer"), device, 80);
    pair.prompt(&[70]).await;
    pair.steps(6).await;
}

pub async fn prompts_in_pieces(device: &Device) {
    for prefill in PREFILL {
        for pieces in [[1, 1, 29], [30, 1, 2], [10, 10, 13]] {
            let mut pair = Pair::new(&rules(prefill, "slide"), device, 90);
            pair.prompt(&pieces).await;
            pair.steps(14).await;
        }
    }
}

/// More turns on what the ones before have left, among them turns shorter than the window.
pub async fn later_turns(device: &Device) {
    for prefill in PREFILL {
        for decode in SPLIT.into_iter().chain(UNIFIED) {
            turns(&rules(prefill, decode), device).await;
        }
    }
}

pub async fn later_turns_of_every_method_once(device: &Device) {
    for (prefill, decode) in ONCE {
        turns(&rules(prefill, decode), device).await;
    }
}

async fn turns(rules: &PlainRules, device: &Device) {
    let mut pair = Pair::new(rules, device, 100);
    pair.prompt(&[20, 5]).await;
    pair.steps(16).await;
    pair.prompt(&[2]).await;
    pair.steps(5).await;
    pair.prompt(&[7, 12]).await;
    pair.steps(14).await;
}

/// Back a few steps, on, back into the prompt, on, and a new turn.
pub async fn going_back(device: &Device) {
    for prefill in ["full", "snapkv", "h2o"] {
        for decode in SPLIT.into_iter().chain(UNIFIED) {
            back_and_forth(&rules(prefill, decode), device).await;
        }
    }
}

pub async fn going_back_with_every_method_once(device: &Device) {
    for (prefill, decode) in ONCE {
        back_and_forth(&rules(prefill, decode), device).await;
    }
}

async fn back_and_forth(rules: &PlainRules, device: &Device) {
    let mut pair = Pair::new(rules, device, 200);
    pair.prompt(&[25]).await;
    pair.steps(20).await;
    pair.truncate(38).await;
    pair.steps(9).await;
    pair.truncate(33).await;
    pair.prompt(&[6]).await;
    pair.steps(12).await;
    pair.truncate(18).await;
    pair.steps(15).await;
    pair.truncate(12).await;
    pair.prompt(&[20]).await;
    pair.steps(5).await;
}

/// 16-bit storage changes nothing where the numbers fit into 16 bits: arithmetic is in 32. Where
/// the device has no f16 this is the packed form.
pub async fn half_precision(device: &Device) {
    for (prefill, decode) in [
        ("full", "full"),
        ("snapkv", "slide"),
        ("h2o", "h2o"),
        ("pyramidkv", "discontinuous"),
    ] {
        let mut pair = Pair::of(CacheType::F16, &rules(prefill, decode), device, 300);
        pair.prompt(&[20, 5]).await;
        pair.steps(20).await;
        pair.truncate(40).await;
        pair.steps(3).await;
        pair.prompt(&[9]).await;
        pair.steps(10).await;
    }
}

/// A clone goes its own way, and so does the original.
pub async fn clones_part(device: &Device) {
    let mut pair = Pair::new(&rules("snapkv", "slide"), device, 310);
    pair.prompt(&[25]).await;
    pair.steps(12).await;
    let mut branch = pair.branch(311);
    pair.steps(4).await;
    branch
        .compare("the clone, while the original went on")
        .await;
    branch.steps(9).await;
    pair.compare("the original, while the clone went on").await;
    pair.steps(4).await;
    branch.truncate(30).await;
    pair.compare("the original, when the clone went back").await;
}

/// A saved cache goes on as if it had never been away.
pub async fn saved_caches_go_on(device: &Device) {
    for cache_type in [CacheType::F16, CacheType::F32] {
        for (prefill, decode) in [
            ("snapkv", "discontinuous"),
            ("h2o", "h2o"),
            ("full", "full"),
        ] {
            let mut pair = Pair::of(cache_type, &rules(prefill, decode), device, 320);
            pair.prompt(&[25]).await;
            pair.steps(17).await;
            pair.reload().await;
            pair.steps(12).await;
            pair.truncate(50).await;
            pair.prompt(&[5]).await;
        }
    }
}

/// Types with rounded rows, of keys and of values.
const ROUNDED: [CacheTypes; 5] = [
    CacheTypes {
        keys: CacheType::H8,
        values: CacheType::H8,
    },
    CacheTypes {
        keys: CacheType::H4,
        values: CacheType::H4,
    },
    CacheTypes {
        keys: CacheType::H8,
        values: CacheType::H4,
    },
    CacheTypes {
        keys: CacheType::H4,
        values: CacheType::F16,
    },
    CacheTypes {
        keys: CacheType::H8,
        values: CacheType::F32,
    },
];

/// Heads that have rounded rows, and budgets that leave rows on both sides of the exact window.
fn rounded_rules(prefill: &str, decode: &str, head_dim: usize) -> PlainRules {
    PlainRules {
        query_heads: 4,
        head_dim,
        prefill_budget: 24,
        decode_budget: 12,
        recent: 5,
        ..rules(prefill, decode)
    }
}

/// Every method with every strategy, the types in turn.
pub async fn rounded_rows_of_every_rule(device: &Device) {
    for (nth, prefill) in PREFILL.into_iter().enumerate() {
        for (other, decode) in SPLIT.into_iter().chain(UNIFIED).enumerate() {
            let types = ROUNDED[(nth + other) % ROUNDED.len()];
            let rules = rounded_rules(prefill, decode, 32);
            let mut pair = Pair::of(types, &rules, device, 400);
            pair.prompt(&[30, 11]).await;
            pair.steps(24).await;
        }
    }
}

/// Every method and strategy once per type, with later turns in chunks and going back.
pub async fn rounded_rows_through_turns(device: &Device) {
    for (nth, (prefill, decode)) in ONCE.into_iter().enumerate() {
        let head_dim = [32, 64][nth % 2];
        rounded_turns(
            ROUNDED[nth % 5],
            &rounded_rules(prefill, decode, head_dim),
            device,
        )
        .await;
    }
    for (nth, types) in ROUNDED.into_iter().enumerate() {
        rounded_turns(
            types,
            &rounded_rules("full", "full", [96, 128][nth % 2]),
            device,
        )
        .await;
    }
}

async fn rounded_turns(types: CacheTypes, rules: &PlainRules, device: &Device) {
    let mut pair = Pair::of(types, rules, device, 410);
    pair.prompt(&[20, 5]).await;
    pair.steps(20).await;
    pair.prompt(&[2]).await;
    pair.steps(3).await;
    pair.prompt(&[25, 1, 14]).await;
    pair.steps(12).await;
    // Less than the exact window, into the turn; then more, into the turn before.
    pair.truncate(95).await;
    pair.steps(6).await;
    pair.prompt(&[4, 4]).await;
    pair.truncate(48).await;
    pair.steps(8).await;
    pair.prompt(&[9]).await;
}

/// Prompts shorter than those that leave out their first positions, and a single token.
pub async fn rounded_rows_of_short_prompts(device: &Device) {
    for types in ROUNDED {
        for prompt in [1, 2, 3, 15, 16] {
            let rules = rounded_rules("snapkv", "slide", 32);
            let mut pair = Pair::of(types, &rules, device, 420 + prompt as u64);
            pair.prompt(&[prompt]).await;
            pair.steps(40).await;
        }
    }
}

/// Heads above 128 elements, whose prompts are computed by tensors on every device.
pub async fn rounded_rows_of_large_heads(device: &Device) {
    for (nth, types) in ROUNDED.into_iter().enumerate() {
        let rules = rounded_rules("snapkv", "h2o", [192, 256, 160][nth % 3]);
        let mut pair = Pair::of(types, &rules, device, 425);
        pair.prompt(&[18, 6]).await;
        pair.steps(14).await;
        pair.prompt(&[3]).await;
        pair.steps(3).await;
    }
}

/// Clones part and saves go on with rounded rows too.
pub async fn rounded_rows_are_copied_and_saved(device: &Device) {
    for types in ROUNDED {
        let mut pair = Pair::of(types, &rounded_rules("h2o", "slide", 64), device, 430);
        pair.prompt(&[45]).await;
        pair.steps(12).await;
        let mut branch = pair.branch(431);
        pair.steps(4).await;
        branch.steps(7).await;
        pair.steps(2).await;
        branch.truncate(50).await;
        branch.steps(3).await;
        pair.reload().await;
        pair.steps(4).await;
        pair.truncate(55).await;
        pair.prompt(&[5]).await;
        pair.steps(3).await;
    }
}

/// An open prompt in f16 forks to rounded rows as if it had had them from the beginning.
pub async fn open_prompts_fork_to_rounded_rows(device: &Device) {
    for types in ROUNDED {
        if types.values == CacheType::F32 {
            continue;
        }
        let rules = rounded_rules("snapkv", "slide", 64);
        let (mut random, dim) = (Random(440), rules.head_dim);
        let mut whole = config(&rules, types).init(device).expect("valid");
        let mut half = config(&rules, CacheType::F16).init(device).expect("valid");
        half.prepare_forks();
        let mut any = |heads: usize, count: usize| {
            let values = random.values_of(CacheType::F16, heads * count * dim);
            tensor(values, [heads, count, dim], device)
        };
        for layer in 0..rules.layers {
            for count in [30, 11] {
                let (queries, keys) = (any(rules.query_heads, count), any(rules.kv_heads, count));
                let values = any(rules.kv_heads, count);
                for cache in [&mut whole, &mut half] {
                    let (queries, keys, values) = (queries.clone(), keys.clone(), values.clone());
                    cache
                        .append(layer, queries, keys, values)
                        .expect("a fitting piece");
                }
            }
        }
        let mut fork = half.fork(config(&rules, types)).expect("an open prompt");
        for layer in 0..rules.layers {
            for cache in [&mut whole, &mut fork] {
                cache.finish_prefill(layer).expect("an open prompt");
            }
        }
        for _ in 0..8 {
            for layer in 0..rules.layers {
                let (query, key) = (any(rules.query_heads, 1), any(rules.kv_heads, 1));
                let value = any(rules.kv_heads, 1);
                let mut outputs = Vec::new();
                for cache in [&mut whole, &mut fork] {
                    let [query, key, value] =
                        [&query, &key, &value].map(|token| token.clone().squeeze_dim::<2>(1));
                    let output = cache
                        .step(layer, query, key, value)
                        .expect("a fitting token");
                    outputs.push(read(output).await);
                }
                assert_eq!(outputs[0], outputs[1], "{types}, layer {layer}");
            }
        }
        // Open prompts took unlike memory; what is held now is the same.
        let layers = |cache: &ScopeCache| {
            let held = |layer| cache.held(layer).expect("a layer").to_vec();
            (0..rules.layers).map(held).collect::<Vec<_>>()
        };
        assert_eq!(layers(&whole), layers(&fork), "{types}");
    }
}
