//! Layers with a window, against attention over every token ever seen, with the window's mask.

use burn::tensor::Device;
use kvscope::cache::{
    Budget, CacheType, DecodeStrategy, PhaseSlots, PrefillMethod, ScopeCache, ScopeCacheConfig,
};

use crate::support::devices;
use crate::support::plain_cache::drive::{Random, tensor};

const QUERY_HEADS: usize = 4;
const KV_HEADS: usize = 2;
const DIM: usize = 32;
/// The window of layer 1; layers 0 and 2 have none.
const WINDOW: usize = 10;

/// Keys and values of every token, and the definition.
#[derive(Clone, Default)]
struct Definition {
    /// Per token `[kv_heads, dim]`.
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
}

impl Definition {
    /// Attention of `query`, `[query_heads, dim]`, of the token at `position`.
    fn attend(&self, query: &[f32], position: usize) -> Vec<f32> {
        let seen = (position + 1).saturating_sub(WINDOW)..=position;
        let mut output = Vec::new();
        for head in 0..QUERY_HEADS {
            let kv = head / (QUERY_HEADS / KV_HEADS);
            let part = |row: &[f32]| -> Vec<f64> {
                row[kv * DIM..][..DIM]
                    .iter()
                    .map(|&x| f64::from(x))
                    .collect()
            };
            let own: Vec<f64> = query[head * DIM..][..DIM]
                .iter()
                .map(|&x| x.into())
                .collect();
            let weight = |token: usize| -> f64 {
                let pairs = own.iter().zip(part(&self.keys[token]));
                (pairs.map(|(q, k)| q * k).sum::<f64>() / (DIM as f64).sqrt()).exp()
            };
            let sum: f64 = seen.clone().map(weight).sum();
            let mut mean = vec![0.0; DIM];
            for token in seen.clone() {
                let weight = weight(token) / sum;
                for (mean, value) in mean.iter_mut().zip(part(&self.values[token])) {
                    *mean += weight * value;
                }
            }
            output.extend(mean.iter().map(|&element| element as f32));
        }
        output
    }
}

/// A cache of three layers, and the middle one's definition.
struct Fed {
    cache: ScopeCache,
    definition: Definition,
    random: Random,
    device: Device,
    tolerance: f32,
}

fn config(cache_type: CacheType) -> ScopeCacheConfig {
    ScopeCacheConfig::new(3, QUERY_HEADS, KV_HEADS, DIM)
        .with_cache_type(cache_type)
        .with_windows(vec![None, Some(WINDOW)])
        .with_prefill(PrefillMethod::SnapKv)
        .with_prefill_budget(Budget::Slots(8))
        .with_observation_window(4)
        .with_decode(DecodeStrategy::Slide)
        .with_decode_budget(Budget::Slots(6))
        .with_recent(2)
        .with_block(16)
}

impl Fed {
    fn new(cache_type: CacheType, device: &Device) -> Self {
        Self {
            cache: config(cache_type).init(device).expect("valid"),
            definition: Definition::default(),
            random: Random(5),
            device: device.clone(),
            tolerance: match cache_type {
                CacheType::F32 => 1e-4,
                CacheType::F16 => 5e-3,
                // Rows of 8 bits; a token too few or too many is off by more.
                _ => 0.15,
            },
        }
    }

    fn position(&self) -> usize {
        self.definition.keys.len()
    }

    /// Random rows `[heads, tokens, dim]` and the same per token, `[heads, dim]`.
    fn rows(&mut self, heads: usize, tokens: usize) -> (Vec<f32>, Vec<Vec<f32>>) {
        let rows = self.random.values_of(CacheType::F16, heads * tokens * DIM);
        let of_token = |token: usize| {
            let head = |head: usize| rows[(head * tokens + token) * DIM..][..DIM].to_vec();
            (0..heads).flat_map(head).collect()
        };
        let by_token = (0..tokens).map(of_token).collect();
        (rows, by_token)
    }

    fn compare(&self, found: Vec<f32>, tokens: usize, queries: &[Vec<f32>], when: &str) {
        let first = self.position() - tokens;
        for (token, query) in queries.iter().enumerate() {
            let expected = self.definition.attend(query, first + token);
            for head in 0..QUERY_HEADS {
                let found = &found[(head * tokens + token) * DIM..][..DIM];
                for (found, expected) in found.iter().zip(&expected[head * DIM..]) {
                    let off = (found - expected).abs();
                    let position = first + token;
                    assert!(
                        off < self.tolerance,
                        "{when}, {position}: {found}, not {expected}"
                    );
                }
            }
        }
    }

    fn prompt(&mut self, pieces: &[usize]) {
        for &count in pieces {
            for layer in 0..3 {
                let (queries, each_query) = self.rows(QUERY_HEADS, count);
                let (keys, each_key) = self.rows(KV_HEADS, count);
                let (values, each_value) = self.rows(KV_HEADS, count);
                let of = |rows, heads| tensor(rows, [heads, count, DIM], &self.device);
                let [queries, keys, values] = [
                    of(queries, QUERY_HEADS),
                    of(keys, KV_HEADS),
                    of(values, KV_HEADS),
                ];
                let output = self.cache.append(layer, queries, keys, values);
                let output = output.expect("a fitting piece").into_data();
                if layer == 1 {
                    self.definition.keys.extend(each_key);
                    self.definition.values.extend(each_value);
                    let output = output.try_into_vec_as().expect("f32");
                    self.compare(output, count, &each_query, "prompt");
                }
            }
        }
        for layer in 0..3 {
            self.cache.finish_prefill(layer).expect("an open prompt");
        }
        self.check_held();
    }

    fn steps(&mut self, count: usize) {
        for _ in 0..count {
            for layer in 0..3 {
                let (query, each_query) = self.rows(QUERY_HEADS, 1);
                let (key, each_key) = self.rows(KV_HEADS, 1);
                let (value, each_value) = self.rows(KV_HEADS, 1);
                let of = |rows, heads| tensor(rows, [heads, DIM], &self.device);
                let [query, key, value] = [
                    of(query, QUERY_HEADS),
                    of(key, KV_HEADS),
                    of(value, KV_HEADS),
                ];
                let output = self.cache.step(layer, query, key, value).expect("a token");
                if layer == 1 {
                    self.definition.keys.extend(each_key);
                    self.definition.values.extend(each_value);
                    let output = output.into_data().try_into_vec_as().expect("f32");
                    self.compare(output, 1, &each_query, "step");
                }
            }
            self.check_held();
        }
    }

    /// The windowed layer holds the newest W − 1 positions, and the others what the policy says.
    fn check_held(&self) {
        let position = self.position();
        let from = position.saturating_sub(WINDOW - 1);
        let newest: Vec<u32> = (from..position).map(|at| at as u32).collect();
        let retained = pollster::block_on(self.cache.retained(1)).expect("readable");
        assert!(retained.iter().all(|head| head.positions == newest));
        let held = self.cache.held(1).expect("a layer");
        assert!(held.iter().all(|head| head.held == newest.len()));
        assert!(self.cache.selections(1).expect("a layer").is_empty());
        let first = self.cache.held(0).expect("a layer");
        assert_eq!(first, self.cache.held(2).expect("a layer"));
        // After going back, all that is left counts as the prompt.
        assert!(first.iter().all(|head| head.held <= 8 + 6 + 6));
    }
}

fn a_layer_with_a_window_sees_just_that(device: &Device) {
    for cache_type in [CacheType::F32, CacheType::F16, CacheType::H8] {
        let mut fed = Fed::new(cache_type, device);
        fed.prompt(&[7, 1, 25]);
        fed.steps(13);
        fed.prompt(&[3, 12]);
        fed.steps(2);
        // A short prompt is held whole until the window is full.
        let mut short = Fed::new(cache_type, device);
        short.prompt(&[4]);
        short.steps(12);
    }
}

#[test]
fn a_layer_with_a_window_sees_just_that_on_the_cpu() {
    a_layer_with_a_window_sees_just_that(&devices::flex());
}

#[test]
fn a_layer_with_a_window_sees_just_that_on_a_gpu() {
    a_layer_with_a_window_sees_just_that(&devices::gpu());
}

/// The plan is what the cache then holds.
#[test]
fn slots_are_known_beforehand() {
    let mut fed = Fed::new(CacheType::F32, &devices::flex());
    fed.prompt(&[23]);
    fed.steps(9);
    let planned = fed.cache.config().planned_slots(23, 9).expect("valid");
    for (layer, planned) in planned.iter().enumerate() {
        assert_eq!(planned, fed.cache.held(layer).expect("a layer"), "{layer}");
    }
    assert_eq!(planned[1][0].held, WINDOW - 1);
}

#[test]
fn forks_and_saves_go_on() {
    let mut fed = Fed::new(CacheType::F32, &devices::flex());
    fed.prompt(&[30]);
    let other = config(CacheType::F32).with_decode(DecodeStrategy::H2o);
    let fork = fed.cache.fork(other).expect("other rules of decoding");
    let mut forked = Fed {
        cache: fork,
        definition: fed.definition.clone(),
        random: Random(6),
        device: fed.device.clone(),
        tolerance: fed.tolerance,
    };
    forked.steps(14);
    fed.steps(14);
    let saved = pollster::block_on(fed.cache.save()).expect("no open prompt");
    let loaded = ScopeCache::load(&saved, &fed.device).expect("just saved");
    assert_eq!(loaded.config().window(1), Some(WINDOW));
    assert_eq!(loaded.memory(), fed.cache.memory());
    fed.cache = loaded;
    fed.steps(5);

    let windows = config(CacheType::F32).with_windows(vec![Some(WINDOW)]);
    let error = fed.cache.fork(windows).expect_err("another model");
    assert!(error.to_string().contains("windows"), "{error}");
}

#[test]
fn going_back_is_refused_where_the_window_has_moved_on() {
    let mut fed = Fed::new(CacheType::F32, &devices::flex());
    fed.prompt(&[6]);
    fed.steps(3);
    // All of the 9 positions are held yet, so the window loses nothing.
    pollster::block_on(fed.cache.truncate(7)).expect("held");
    fed.definition.keys.truncate(7);
    fed.definition.values.truncate(7);
    fed.check_held();
    fed.steps(20);
    let before = pollster::block_on(fed.cache.save()).expect("no open prompt");
    let error = pollster::block_on(fed.cache.truncate(26)).expect_err("dropped");
    assert_eq!(error.code(), "cache-window");
    let after = pollster::block_on(fed.cache.save()).expect("no open prompt");
    assert!(before == after, "nothing is changed");
    fed.steps(1);
    pollster::block_on(fed.cache.truncate(0)).expect("empty");
}

/// In an open prompt all positions are held, so a prompt can be taken back.
#[test]
fn an_open_prompt_can_be_taken_back() {
    let device = devices::flex();
    let mut fed = Fed::new(CacheType::F32, &device);
    fed.prompt(&[30]);
    fed.steps(4);
    let count = 12;
    for layer in 0..3 {
        let queries = fed.rows(QUERY_HEADS, count).0;
        let (keys, values) = (fed.rows(KV_HEADS, count).0, fed.rows(KV_HEADS, count).0);
        let of = |rows, heads| tensor(rows, [heads, count, DIM], &device);
        let queries = of(queries, QUERY_HEADS);
        let output = fed
            .cache
            .append(layer, queries, of(keys, KV_HEADS), of(values, KV_HEADS));
        output.expect("a fitting piece");
    }
    pollster::block_on(fed.cache.truncate(34)).expect("held");
    fed.check_held();
    fed.steps(12);
}

/// Bytes by hand: in f16 a slot takes 2 heads × (2 rows × 32 × 2 bytes + position + score). The
/// full cache keeps the window too.
#[test]
fn a_window_is_held_whatever_the_policy() {
    const SLOT: u64 = 2 * (2 * 32 * 2 + 4 + 4);
    let mut fed = Fed::new(CacheType::F16, &devices::flex());
    fed.prompt(&[40]);
    fed.steps(30);
    let memory = fed.cache.memory();
    let slots = |layer: usize| {
        let all = fed.cache.allocations();
        let of_layer = all.into_iter().filter(|it| it.layer == layer);
        of_layer.map(|it| it.bytes()).sum::<u64>() / SLOT
    };
    assert_eq!(slots(1), WINDOW as u64);
    assert_eq!(memory.held_bytes, SLOT * (slots(0) + slots(1) + slots(2)));
    // The prompt's 40, and blocks of 16 for the 30; layer 2 begins its next a little earlier.
    assert_eq!(memory.full_bytes, SLOT * (72 + WINDOW as u64 + 88));
    let phases = fed.cache.phases(1).expect("a layer").expect("known");
    let expected = PhaseSlots {
        prefill: 0,
        decode: WINDOW - 1,
    };
    assert_eq!(phases, [expected; KV_HEADS]);
}

#[test]
fn windows_that_can_not_be_are_refused() {
    for windows in [vec![Some(0)], vec![None, Some(1 << 30)], vec![None; 4]] {
        let error = config(CacheType::F16).with_windows(windows).validate();
        let error = error.expect_err("not valid");
        assert!(error.to_string().contains("windows"), "{error}");
    }
    let none = config(CacheType::F16).with_windows(Vec::new());
    assert!(none.validate().is_ok());
}
