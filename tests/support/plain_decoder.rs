//! A plain model on a plain cache: decoding with rounded rows in f64. The fused kernels on any GPU
//! are compared with it.

use kvscope::cache::{CacheType, CacheTypes};
use kvscope::device::Gpu;
use kvscope::formats::BlockFormat;
use kvscope::fused::{FusedDecoder, Pipelines, Tuning};
use kvscope::generate::InputToken;
use kvscope::model::LogitRows;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::difference::difference;
use super::plain_cache::drive::config;
use super::plain_cache::plain::{PlainCache, PlainRules};
use super::plain_llama::{Matrix, PlainLlama};
use super::tiny_model::sizes::Sizes;
use super::tiny_model::{TinyModel, run};

/// A method of the cache: a layer's queries, keys and values to what they attend to.
type Attend = fn(&mut PlainCache, usize, &[f32], &[f32], &[f32]) -> Vec<f64>;

/// Noise that turns more codes than f32's rounding of sums, which is some 1e-6, does.
const NOISE: f64 = 1e-5;

/// A sequence that the plain model goes on with.
struct PlainDecoder<'a> {
    model: &'a PlainLlama,
    cache: PlainCache,
    types: CacheTypes,
    position: usize,
    /// Greatest noise of an element of keys and values, in units of its row's root mean square.
    noise: f64,
    random: ChaCha8Rng,
}

impl<'a> PlainDecoder<'a> {
    fn new(model: &'a PlainLlama, rules: &PlainRules, types: CacheTypes) -> Self {
        let cache = PlainCache::new(rules.clone()).rounded(types.each().map(CacheType::name));
        Self {
            model,
            cache,
            types,
            position: 0,
            noise: 0.0,
            random: ChaCha8Rng::seed_from_u64(0),
        }
    }

    fn with_noise(self, noise: f64, seed: u64) -> Self {
        Self {
            noise,
            random: ChaCha8Rng::seed_from_u64(seed),
            ..self
        }
    }

    /// Takes a first prompt in, whose rows are in f16 unless the type is f32.
    fn prompt(&mut self, tokens: &[u32]) {
        let rounds = self.types.each().map(|one| one != CacheType::F32);
        self.take(tokens, rounds, PlainCache::prefill);
    }

    /// Takes a token in. The logits of the next.
    fn step(&mut self, token: u32) -> Vec<f64> {
        let rounds = self.types.each().map(|one| one == CacheType::F16);
        let hidden = self.take(&[token], rounds, PlainCache::step);
        self.model.logits_of(&hidden[0])
    }

    /// The hidden states after the last layer. `rounds` says if keys, and values, become f16.
    fn take(&mut self, tokens: &[u32], rounds: [bool; 2], attend: Attend) -> Matrix {
        let dim = self.model.head_dim;
        let mut hidden = self.model.embedded(tokens);
        for (index, layer) in self.model.layers.iter().enumerate() {
            let positions = self.position..;
            let projected = hidden.iter().zip(positions);
            let mut projected: Vec<[Matrix; 3]> = projected
                .map(|(row, position)| self.model.projected(layer, row, position))
                .collect();
            for row in projected
                .iter_mut()
                .flat_map(|it| it[1..].iter_mut().flatten())
            {
                add_noise(row, self.noise, &mut self.random);
            }
            let of = |part: usize, rounds: bool| -> Vec<f32> {
                let heads = 0..projected[0][part].len();
                let rows = heads.flat_map(|head| projected.iter().map(move |it| &it[part][head]));
                let elements = rows.flatten().map(|element| *element as f32);
                let round = |it: f32| half::f16::from_f32(it).to_f32();
                elements
                    .map(|it| if rounds { round(it) } else { it })
                    .collect()
            };
            let (queries, keys, values) = (of(0, false), of(1, rounds[0]), of(2, rounds[1]));
            let output = attend(&mut self.cache, index, &queries, &keys, &values);
            for (token, row) in hidden.iter_mut().enumerate() {
                let heads = output.chunks(tokens.len() * dim);
                let own = heads.flat_map(|head| &head[token * dim..(token + 1) * dim]);
                let attended: Vec<f64> = own.copied().collect();
                self.model.add_rest(layer, row, &attended);
            }
        }
        self.position += tokens.len();
        hidden
    }
}

fn add_noise(row: &mut [f64], most: f64, random: &mut ChaCha8Rng) {
    let square: f64 = row.iter().map(|it| it * it).sum();
    let size = most * (square / row.len() as f64).sqrt();
    for element in row {
        *element += size * (f64::from(random.next_u32()) / f64::from(u32::MAX / 2) - 1.0);
    }
}

/// Decodes with rows of `types` by fused kernels, and compares each step's logits with the plain
/// model's.
///
/// Now and then a code is the next one, or a row's scale another, as f32 rounds sums. The plain
/// model with a little noise tells what that does. The tolerance is twice as far as its logits are
/// off at most. The step at which a code changes depends on the adapter. A cache of f16 is further
/// off.
pub async fn decodes_as_the_plain_model(
    gpu: &Gpu,
    pipelines: &Pipelines,
    tuning: Tuning,
    sizes: Sizes,
    types: CacheTypes,
) {
    let name = format!("{types}, heads of {}", sizes.head_dim);
    let rules = PlainRules {
        layers: sizes.layers,
        query_heads: sizes.query_heads,
        kv_heads: sizes.kv_heads,
        head_dim: sizes.head_dim,
        prefill: "full".to_owned(),
        prefill_budget: 24,
        window: 4,
        kernel: 5,
        pooling: "maxpool".to_owned(),
        beta: 5,
        // By position, so that no rounding decides what goes.
        decode: "streamingllm".to_owned(),
        decode_budget: 18,
        recent: 5,
        max_new_tokens: 60,
        decay: 0.99,
    };
    let tokens: Vec<u32> = (0..68).map(|i| (i * i * 7 + i * 31 + 5) % 259).collect();
    let (prompt, decoded) = tokens.split_at(20);

    let tiny = TinyModel::new(sizes, BlockFormat::Q8_0);
    let plain = tiny.plain();
    let mut expected = PlainDecoder::new(&plain, &rules, types);
    let mut float = PlainDecoder::new(&plain, &rules, CacheType::F16.into());
    expected.prompt(prompt);
    float.prompt(prompt);
    let mut noisy = [1, 2, 3].map(|seed| {
        let mut one = PlainDecoder::new(&plain, &rules, types).with_noise(NOISE, seed);
        one.prompt(prompt);
        one
    });

    let model = run::load_gguf(&tiny.gguf().bytes(), gpu.device()).expect("a valid model");
    let mut cache = config(&rules, types).init(gpu.device()).expect("valid");
    model
        .append(prompt, &mut cache, LogitRows::None)
        .expect("a prompt");
    for layer in 0..sizes.layers {
        cache.finish_prefill(layer).expect("an open prompt");
    }
    let decoder = FusedDecoder::tuned(&model, pipelines, gpu, &cache, tuning);
    let mut decoder = decoder.expect("a device").expect("kernels");

    let (mut close, mut most, mut most_float) = (0.0_f64, 0.0_f64, 0.0_f64);
    let mut at = 0;
    for (step, &token) in decoded.iter().enumerate() {
        let pending = decoder.step_logits(InputToken::Token(token), &mut cache, false);
        let found = pending.expect("a step").expect("kernels").await;
        let found = found.expect("readable").into_iter().map(f64::from);
        let found: Vec<f64> = found.collect();
        let expected = expected.step(token);
        for one in &mut noisy {
            close = close.max(2.0 * difference(&one.step(token), &expected));
        }
        let off = difference(&found, &expected);
        if off > most {
            (most, at) = (off, step);
        }
        most_float = most_float.max(difference(&float.step(token), &expected));
    }
    for layer in 0..sizes.layers {
        let retained = cache.retained(layer).await.expect("readable");
        for (head, retained) in retained.iter().enumerate() {
            let positions = retained.positions.iter().map(|it| *it as usize);
            let expected = expected.cache.positions(layer, head);
            assert_eq!(positions.collect::<Vec<_>>(), expected, "{name}");
        }
    }
    println!("{name}: off by {most} of {close}, f16 by {most_float}");
    assert!(
        most < close,
        "{name}, step {at}: logits are off by {most}, not {close}"
    );
    let is_rounded = types
        .each()
        .iter()
        .any(|one| ["h4", "h8"].contains(&one.name()));
    assert!(
        !is_rounded || most_float > close,
        "{name}: f16 is off by {most_float} only"
    );
}
