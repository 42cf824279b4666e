//! Random tensors, and driving the crate's cache and the plain one side by side.

use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use kvscope::cache::{
    Budget, CacheType, CacheTypes, DecodeStrategy, Pooling, PrefillMethod, ScopeCache,
    ScopeCacheConfig,
};

use half::f16;

use super::plain::{Part, PlainCache, PlainRules};

/// A small deterministic source of normally distributed numbers (splitmix64 and a sum of uniform
/// ones).
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn normal(&mut self) -> f32 {
        let sum: f32 = (0..12)
            .map(|_| (self.next() >> 40) as f32 / (1 << 24) as f32)
            .sum();
        (sum - 6.0) * 1.5
    }

    pub fn values(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.normal()).collect()
    }

    /// Numbers that `cache_type` holds without rounding, or a prompt of it until its end.
    pub fn values_of(&mut self, cache_type: CacheType, count: usize) -> Vec<f32> {
        let mut values = self.values(count);
        if cache_type != CacheType::F32 {
            for value in &mut values {
                *value = f16::from_f32(*value).to_f32();
            }
        }
        values
    }
}

/// The crate's configuration for the plain rules.
pub fn config(rules: &PlainRules, cache_type: impl Into<CacheTypes>) -> ScopeCacheConfig {
    let named = |name: &str| {
        let mut all = PrefillMethod::ALL.iter().copied();
        all.find(|method| method.name() == name)
            .expect("a prefill method of the table")
    };
    let strategy = |name: &str| {
        let mut all = DecodeStrategy::ALL.iter().copied();
        all.find(|strategy| strategy.name() == name)
            .expect("a decode strategy of the table")
    };
    let pooling = match rules.pooling.as_str() {
        "maxpool" => Pooling::MaxPool,
        "avgpool" => Pooling::AvgPool,
        other => panic!("pooling {other}"),
    };
    ScopeCacheConfig::new(
        rules.layers,
        rules.query_heads,
        rules.kv_heads,
        rules.head_dim,
    )
    .with_cache_type(cache_type)
    .with_prefill(named(&rules.prefill))
    .with_prefill_budget(Budget::Slots(rules.prefill_budget))
    .with_observation_window(rules.window)
    .with_kernel(rules.kernel)
    .with_pooling(pooling)
    .with_pyramid_beta(rules.beta)
    .with_decode(strategy(&rules.decode))
    .with_decode_budget(Budget::Slots(rules.decode_budget))
    .with_recent(rules.recent)
    .with_decay(rules.decay as f32)
    .with_max_new_tokens(rules.max_new_tokens)
    .with_block(16)
}

/// Distance from a tie, in parts of a code's step or of a score, below which rounded caches draw
/// anew. Nearer decisions may fall the other way in f32.
const TIE: f64 = 2e-4;

/// Draws before a test gives up finding one without ties.
const DRAWS: usize = 2000;

/// Both caches, fed the same.
pub struct Pair {
    pub rules: PlainRules,
    pub cache: ScopeCache,
    pub plain: PlainCache,
    pub device: Device,
    pub random: Random,
}

impl Pair {
    pub fn new(rules: &PlainRules, device: &Device, seed: u64) -> Self {
        Self::of(CacheType::F32, rules, device, seed)
    }

    pub fn of(
        cache_type: impl Into<CacheTypes>,
        rules: &PlainRules,
        device: &Device,
        seed: u64,
    ) -> Self {
        let types = cache_type.into();
        let config = config(rules, types);
        Self {
            cache: config.init(device).expect("the rules are valid"),
            plain: PlainCache::new(rules.clone()).rounded(types.each().map(CacheType::name)),
            rules: rules.clone(),
            device: device.clone(),
            random: Random(seed),
        }
    }

    /// A prompt of the pieces' total length; outputs and retained sets must agree afterwards.
    pub async fn prompt(&mut self, pieces: &[usize]) {
        let count: usize = pieces.iter().sum();
        let is_rounded = self.is_rounded();
        let rules = &self.rules;
        let (query_heads, kv_heads, dim) = (rules.query_heads, rules.kv_heads, rules.head_dim);
        for layer in 0..rules.layers {
            let cache_type = self.cache.config().cache_type.keys;
            let (plain, random) = (&mut self.plain, &mut self.random);
            let (queries, keys, values, expected) = untied(plain, is_rounded, |plain| {
                let queries = random.values(query_heads * count * dim);
                let mut rows = |part| rows(plain, random, cache_type, layer, part, count);
                let (keys, values) = (rows(Part::Key), rows(Part::Value));
                let expected = plain.prefill(layer, &queries, &keys, &values);
                (queries, keys, values, expected)
            });
            let queries = tensor(queries, [query_heads, count, dim], &self.device);
            let keys = tensor(keys, [kv_heads, count, dim], &self.device);
            let values = tensor(values, [kv_heads, count, dim], &self.device);
            let mut outputs = Vec::new();
            let mut start = 0;
            for piece in pieces {
                let cut = |tensor: &Tensor<3>| tensor.clone().narrow(1, start, *piece);
                let output = self
                    .cache
                    .append(layer, cut(&queries), cut(&keys), cut(&values))
                    .expect("a fitting piece");
                outputs.push(output);
                start += piece;
            }
            self.cache.finish_prefill(layer).expect("an open prompt");
            let output = read(Tensor::cat(outputs, 1)).await;
            assert_within(
                tolerance(is_rounded),
                &output,
                &expected,
                &format!("prompt of {count}, layer {layer}"),
            );
        }
        self.compare("after the prompt").await;
    }

    /// Decode steps; outputs and retained sets must agree after each.
    pub async fn steps(&mut self, count: usize) {
        let rules = self.rules.clone();
        let dim = rules.head_dim;
        let is_rounded = self.is_rounded();
        let cache_type = self.cache.config().cache_type.keys;
        for step in 0..count {
            for layer in 0..rules.layers {
                let (plain, random) = (&mut self.plain, &mut self.random);
                let (query, key, value, expected) = untied(plain, is_rounded, |plain| {
                    let query = random.values(rules.query_heads * dim);
                    let mut rows = |part| rows(plain, random, cache_type, layer, part, 1);
                    let (key, value) = (rows(Part::Key), rows(Part::Value));
                    let expected = plain.step(layer, &query, &key, &value);
                    (query, key, value, expected)
                });
                let output = self
                    .cache
                    .step(
                        layer,
                        tensor(query, [rules.query_heads, dim], &self.device),
                        tensor(key, [rules.kv_heads, dim], &self.device),
                        tensor(value, [rules.kv_heads, dim], &self.device),
                    )
                    .expect("a fitting token");
                let output = read(output).await;
                let what = format!("step {step}, layer {layer}");
                assert_within(tolerance(is_rounded), &output, &expected, &what);
            }
            self.compare(&format!("after step {step}")).await;
        }
    }

    /// `true` if a type stores other numbers than it was given.
    fn is_rounded(&self) -> bool {
        let floats = [CacheType::F32, CacheType::F16];
        let types = self.cache.config().cache_type.each();
        types.iter().any(|one| !floats.contains(one))
    }

    /// A copy of both, to be fed from the source of `seed`.
    pub fn branch(&self, seed: u64) -> Self {
        Self {
            rules: self.rules.clone(),
            cache: self.cache.clone(),
            plain: self.plain.clone(),
            device: self.device.clone(),
            random: Random(seed),
        }
    }

    /// Puts what is loaded from a save in the cache's place. It must have the same bytes.
    pub async fn reload(&mut self) {
        let saved = self.cache.save().await.expect("no open prompt");
        let loaded = ScopeCache::load(&saved, &self.device).expect("just saved");
        assert_eq!(loaded.memory(), self.cache.memory());
        assert_eq!(loaded.save().await.expect("no open prompt"), saved);
        self.cache = loaded;
    }

    /// Both go back to `length` tokens.
    pub async fn truncate(&mut self, length: usize) {
        self.cache.truncate(length).await.expect("readable");
        self.plain.truncate(length);
        self.compare(&format!("after going back to {length}")).await;
    }

    /// Every layer's and head's retained set, and what the host believes of it.
    pub async fn compare(&self, when: &str) {
        for layer in 0..self.rules.layers {
            let retained = self.cache.retained(layer).await.expect("readable");
            let held = self.cache.held(layer).expect("a layer");
            for (head, retained) in retained.iter().enumerate() {
                let expected = self.plain.positions(layer, head);
                let found: Vec<usize> = retained.positions.iter().map(|p| *p as usize).collect();
                assert_eq!(
                    found, expected,
                    "{when}, layer {layer}, head {head}, {} and {}",
                    self.rules.prefill, self.rules.decode
                );
                assert_eq!(held[head].held, found.len(), "{when}: the host's count");
            }
        }
    }
}

pub fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

pub async fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.cast(FloatDType::F32).into_data_async().await;
    data.expect("readable").try_into_vec_as().expect("f32")
}

/// Draws `[kv_heads][count][head_dim]`, each row until its codes are not near a tie.
fn rows(
    plain: &PlainCache,
    random: &mut Random,
    cache_type: CacheType,
    layer: usize,
    part: Part,
    count: usize,
) -> Vec<f32> {
    let rules = plain.rules();
    let mut rows = Vec::new();
    for row in 0..rules.kv_heads * count {
        let drawn = (0..DRAWS).find_map(|_| {
            let drawn = random.values_of(cache_type, rules.head_dim);
            let nearest = plain.nearest_of(layer, row / count, part, &drawn);
            (nearest > TIE).then_some(drawn)
        });
        rows.extend(drawn.expect("a row without a tie"));
    }
    rows
}

/// Runs `draw` on a copy of `plain` until no decision was near a tie, then keeps that copy.
fn untied<T>(
    plain: &mut PlainCache,
    is_rounded: bool,
    mut draw: impl FnMut(&mut PlainCache) -> T,
) -> T {
    for _ in 0..DRAWS {
        let mut tried = plain.clone();
        let drawn = draw(&mut tried);
        if tried.take_nearest() > TIE || !is_rounded {
            *plain = tried;
            return drawn;
        }
    }
    panic!("no draw without a tie");
}

/// Greatest difference of an output's element. An exact row's element may fall on the next f16,
/// which moves outputs by up to some 1e-4.
fn tolerance(is_rounded: bool) -> f64 {
    if is_rounded { 1e-3 } else { 1e-4 }
}

fn assert_within(tolerance: f64, found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (f64::from(*found) - expected).abs() < tolerance,
            "{what}, element {index}: {found} instead of {expected}"
        );
    }
}
