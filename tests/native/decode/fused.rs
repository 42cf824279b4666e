//! The fused kernels of a decode step against tensor operations on the same device. For every
//! architecture, format, policy and tuning: the same logits, the same retained slots, the same
//! memory.

use std::sync::OnceLock;

use kvscope::cache::{
    Budget, CacheType, CacheTypes, DecodeStrategy, PrefillMethod, ScopeCache, ScopeCacheConfig,
};
use kvscope::device::{Gpu, GpuFeature, GpuOptions};
use kvscope::formats::BlockFormat;
use kvscope::fused::{FusedDecoder, Pipelines, Tuning};
use kvscope::generate::{
    Choice, Draw, InputToken, LogitBias, PendingToken, SampledToken, Sampler, SamplingConfig,
    StepDecoder, StepRequest,
};
use kvscope::model::{Llama, LogitRows};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::support::devices;
use crate::support::difference::difference;
use crate::support::plain_decoder::decodes_as_the_plain_model;
use crate::support::tiny_model::sizes::{
    LLAMA, LLAMA_3, LLAMA_ODD, LLAMA_TIED, QWEN2, QWEN3, Sizes,
};
use crate::support::tiny_model::{TinyModel, run};

/// In units of the logits' root mean square: both ways round f32 sums in their own order.
const CLOSE: f64 = 1e-3;

/// On a software adapter in quads, which is what is used there.
fn tunings() -> [Tuning; 3] {
    let abilities = devices::opened().shader_abilities();
    [
        Tuning::SERIAL.in_quads(abilities),
        Tuning::PARALLEL,
        Tuning::LIGHT,
    ]
}

/// Eight query heads on one KV head, as many as share one; heads that no power of two divides.
const GROUP_OF_EIGHT: Sizes = Sizes {
    query_heads: 8,
    kv_heads: 1,
    head_dim: 40,
    rotated: 20,
    ..LLAMA
};

/// The widest heads that the kernels take.
const WIDE_HEADS: Sizes = Sizes {
    query_heads: 4,
    kv_heads: 1,
    head_dim: 256,
    rotated: 256,
    ..LLAMA
};

fn model(sizes: Sizes, format: BlockFormat) -> Llama {
    model_on(devices::opened(), sizes, format)
}

fn model_on(gpu: &Gpu, sizes: Sizes, format: BlockFormat) -> Llama {
    let tiny = TinyModel::new(sizes, format);
    run::load_gguf(&tiny.gguf().bytes(), gpu.device()).unwrap()
}

fn tokens(count: usize) -> Vec<u32> {
    (0..count as u32)
        .map(|i| (i * i * 7 + i * 31 + 5) % 259)
        .collect()
}

/// A cache that has taken in `prompt`.
fn prefilled(model: &Llama, config: ScopeCacheConfig, prompt: &[u32]) -> ScopeCache {
    prefilled_on(devices::opened(), model, config, prompt)
}

fn prefilled_on(gpu: &Gpu, model: &Llama, config: ScopeCacheConfig, prompt: &[u32]) -> ScopeCache {
    let mut cache = config.init(gpu.device()).unwrap();
    model.append(prompt, &mut cache, LogitRows::None).unwrap();
    for layer in 0..model.config().layers {
        cache.finish_prefill(layer).unwrap();
    }
    cache
}

/// The kernels of all models: compiling them is most of these tests' time.
fn pipelines() -> &'static Pipelines {
    static PIPELINES: OnceLock<Pipelines> = OnceLock::new();
    PIPELINES.get_or_init(Pipelines::default)
}

/// A step that brings back its logits.
fn logits(decoder: &mut FusedDecoder, token: u32, cache: &mut ScopeCache) -> Vec<f32> {
    let pending = decoder.step_logits(InputToken::Token(token), cache, true);
    pollster::block_on(pending.unwrap().expect("a step in place")).unwrap()
}

/// A step that brings back a token.
fn chosen(
    decoder: &mut FusedDecoder,
    token: u32,
    cache: &mut ScopeCache,
    choice: Choice<'_>,
) -> SampledToken {
    let request = StepRequest {
        choice,
        scores: true,
        likeliest: 7,
    };
    let pending = decoder.step(InputToken::Token(token), cache, request);
    pollster::block_on(pending.unwrap().expect("a step in place")).unwrap()
}

fn retained(cache: &ScopeCache, layer: usize) -> Vec<(Vec<u32>, Vec<f32>)> {
    let heads = pollster::block_on(cache.retained(layer)).unwrap();
    heads
        .into_iter()
        .map(|head| (head.positions, head.scores))
        .collect()
}

/// Decodes `steps` tokens both ways after a prompt of `prompt`, and compares all there is to see.
fn agrees(
    name: &str,
    model: &Llama,
    config: &ScopeCacheConfig,
    tuning: Tuning,
    prompt: usize,
    steps: usize,
) {
    agrees_on(
        devices::opened(),
        name,
        model,
        config,
        tuning,
        prompt,
        steps,
    );
}

fn agrees_on(
    gpu: &Gpu,
    name: &str,
    model: &Llama,
    config: &ScopeCacheConfig,
    tuning: Tuning,
    prompt: usize,
    steps: usize,
) {
    let tokens = tokens(prompt + steps);
    let (prompt, decoded) = tokens.split_at(prompt);
    let mut plain = prefilled_on(gpu, model, config.clone(), prompt);
    let mut fused = prefilled_on(gpu, model, config.clone(), prompt);
    let decoder = FusedDecoder::tuned(model, pipelines(), gpu, &fused, tuning).unwrap();
    let mut decoder = decoder.unwrap_or_else(|| panic!("{name}: no kernels"));
    for (t, &token) in decoded.iter().enumerate() {
        let expected = run::read_back(model.step(token, &mut plain).unwrap());
        let found = logits(&mut decoder, token, &mut fused);
        let off = difference(&found, &expected);
        assert!(off < CLOSE, "{name}, step {t}: logits are off by {off}");
        assert_eq!(fused.memory(), plain.memory(), "{name}, step {t}");
        if t % 7 == 0 || t + 1 == decoded.len() {
            for layer in 0..model.config().layers {
                assert_eq!(fused.selections(layer), plain.selections(layer));
                let (found, expected) = (retained(&fused, layer), retained(&plain, layer));
                for (head, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    let place = format!("{name}, step {t}, layer {layer}, head {head}");
                    assert_eq!(found.0, expected.0, "{place}");
                    let off = difference(&found.1, &expected.1);
                    assert!(off < 10.0 * CLOSE, "{place}: scores are off by {off}");
                }
            }
        }
    }
}

fn config(model: &Llama, cache_type: CacheType) -> ScopeCacheConfig {
    model
        .config()
        .cache()
        .with_cache_type(cache_type)
        .with_prefill_budget(Budget::Slots(24))
        .with_observation_window(6)
        .with_decode_budget(Budget::Slots(12))
        .with_recent(5)
        .with_max_new_tokens(45)
        .with_block(16)
}

#[test]
fn every_format() {
    // Compiling a shader is most of this test's time: the second way for formats that differ in how
    // they are summed.
    let summed = [BlockFormat::Q4_1, BlockFormat::Q6_K, BlockFormat::Q8_0];
    let [serial, parallel, _] = tunings();
    for format in BlockFormat::ALL {
        let model = model(LLAMA, format);
        let config = config(&model, CacheType::F32).with_decode(DecodeStrategy::Slide);
        agrees(format.name(), &model, &config, serial, 30, 12);
        if summed.contains(&format) {
            agrees(format.name(), &model, &config, parallel, 30, 12);
        }
    }
}

#[test]
fn every_architecture() {
    let plain = (CacheType::F32, Tuning::PARALLEL);
    let subgroup = devices::opened().shader_abilities().subgroup;
    let joined = (CacheType::F32, Tuning::WIDE.in_integers().joining(subgroup));
    for (sizes, second) in [
        (LLAMA_TIED, plain),
        (LLAMA_3, joined),
        (QWEN2, plain),
        (QWEN3, joined),
        (GROUP_OF_EIGHT, joined),
        (WIDE_HEADS, plain),
    ] {
        let model = model(sizes, BlockFormat::Q8_0);
        for (cache_type, tuning) in [(CacheType::F16, Tuning::SERIAL), second] {
            let config = config(&model, cache_type)
                .with_prefill(PrefillMethod::SnapKv)
                .with_decode(DecodeStrategy::Adaptive);
            let name = format!("{sizes:?}, {cache_type:?}, {tuning:?}");
            agrees(&name, &model, &config, tuning, 30, 20);
        }
    }
}

#[test]
fn every_strategy() {
    let model = model(LLAMA, BlockFormat::Q4_1);
    for (nth, decode) in DecodeStrategy::ALL.iter().enumerate() {
        let prefill = PrefillMethod::ALL[nth % PrefillMethod::ALL.len()];
        let config = config(&model, CacheType::F32)
            .with_prefill(prefill)
            .with_decode(*decode);
        let name = format!("{prefill}, {decode}");
        agrees(&name, &model, &config, tunings()[nth % 3], 40, 26);
    }
}

/// Sizes, policies and lengths by chance, within what the kernels are written for.
#[test]
fn shapes_by_chance() {
    let mut random = ChaCha8Rng::seed_from_u64(6);
    let mut any = |from: usize, to: usize| from + random.next_u32() as usize % (to + 1 - from);
    let [serial, ..] = tunings();
    for nth in 0..4 {
        let cache_type = [CacheType::F16, CacheType::F32][nth % 2];
        let tuning = [Tuning::LIGHT, serial][nth / 2];
        let (kv_heads, head_dim) = (any(1, 3), 8 * any(1, 16));
        // All of a layer's queries are a multiple of 32 elements.
        let fitting = (1..=8).filter(|group| (group * kv_heads * head_dim).is_multiple_of(32));
        let groups: Vec<usize> = fitting.collect();
        let sizes = Sizes {
            layers: any(1, 3),
            width: 32 * any(1, 9),
            feed_forward: 32 * any(1, 9),
            query_heads: kv_heads * groups[any(0, groups.len() - 1)],
            kv_heads,
            head_dim,
            vocabulary: any(259, 339),
            rotated: 2 * any(1, head_dim / 2),
            ..LLAMA
        };
        let model = model(sizes, BlockFormat::Q8_0);
        let prefill = PrefillMethod::ALL[any(0, PrefillMethod::ALL.len() - 1)];
        let decode = DecodeStrategy::ALL[any(0, DecodeStrategy::ALL.len() - 1)];
        let config = config(&model, cache_type)
            .with_prefill(prefill)
            .with_decode(decode)
            .with_decay(any(0, 100) as f32 / 100.0)
            .with_block(any(1, 40));
        let name = format!("{sizes:?}, {prefill}, {decode}, {cache_type:?}");
        agrees(&name, &model, &config, tuning, any(1, 60), any(1, 25));
    }
}

/// Without what WebGPU need not have: 16-bit floats in shaders, subgroups.
#[test]
fn features_may_be_missing() {
    let options = GpuOptions {
        withhold: GpuFeature::ALL.to_vec(),
        ..GpuOptions::default()
    };
    let gpu = Gpu::open_blocking(options).unwrap();
    let model = model_on(&gpu, LLAMA, BlockFormat::Q4_1);
    for cache_type in [CacheType::F16, CacheType::F32] {
        let config = config(&model, cache_type)
            .with_prefill(PrefillMethod::H2o)
            .with_decode(DecodeStrategy::Slide);
        let name = format!("{cache_type:?}");
        agrees_on(&gpu, &name, &model, &config, Tuning::LIGHT, 37, 20);
    }
}

/// More slots than one workgroup attends to, and as many as fill whole ones.
#[test]
fn long_caches() {
    let model = model(LLAMA, BlockFormat::Q8_0);
    for (prompt, block) in [(250, 16), (256, 256), (513, 7)] {
        for (decode, tuning) in [DecodeStrategy::Full, DecodeStrategy::Slide]
            .iter()
            .zip(tunings())
        {
            let config = config(&model, CacheType::F16)
                .with_decode(*decode)
                .with_block(block);
            agrees(
                &format!("{prompt}, {decode}"),
                &model,
                &config,
                tuning,
                prompt,
                12,
            );
        }
    }
}

/// Tokens chosen and drawn on the device, against the rules of [`SamplingConfig`] in f64 on the
/// same logits.
#[test]
fn choices_and_draws() {
    let model = model(LLAMA, BlockFormat::Q5_0);
    let config = config(&model, CacheType::F32).with_decode(DecodeStrategy::H2o);
    let warm = || SamplingConfig::default().with_temperature(0.8);
    let samplings = [
        warm(),
        warm().with_top_k(1),
        warm().with_top_k(7).with_repetition_penalty(1.3),
        warm().with_top_p(0.6),
        warm().with_top_k(40).with_top_p(0.9).with_min_p(0.05),
        warm().with_min_p(0.5),
        warm().with_temperature(0.0).with_repetition_penalty(3.0),
        warm().with_temperature(50.0).with_top_k(9999),
        warm().with_temperature(1e-3),
        warm()
            .with_repetition_penalty(0.7)
            .with_repetition_window(0)
            .with_top_p(0.95),
        warm().with_frequency_penalty(2.0),
        warm().with_presence_penalty(-2.0).with_top_k(30),
        warm()
            .with_temperature(0.0)
            .with_frequency_penalty(-1.5)
            .with_presence_penalty(1.0)
            .with_repetition_penalty(1.2),
    ];
    let bias = |token, bias| LogitBias { token, bias };
    // The last is beyond the vocabulary.
    let biases = [
        vec![],
        vec![
            bias(3, 4.0),
            bias(40, -100.0),
            bias(3, 0.5),
            bias(1 << 20, 9.0),
        ],
    ];
    for tuning in tunings() {
        let mut history = tokens(30);
        let mut first = prefilled(&model, config.clone(), &history);
        let mut second = prefilled(&model, config.clone(), &history);
        let decoder = |cache: &ScopeCache| {
            let gpu = devices::opened();
            let decoder = FusedDecoder::tuned(&model, pipelines(), gpu, cache, tuning);
            decoder.unwrap().unwrap()
        };
        let (mut plain, mut drawing) = (decoder(&first), decoder(&second));
        for step_number in 0..80 {
            let is_drawn = step_number % 2 == 1;
            let sampling = samplings[step_number / 2 % samplings.len()].clone();
            let biased = &biases[step_number / 2 / samplings.len() % 2];
            let mut sampler = Sampler::new(sampling.with_seed(step_number as u64))
                .unwrap()
                .with_bias(biased.clone())
                .after_prompt(30);
            let last = history[history.len() - 1];
            let draw = sampler.draw(&history);
            let choice = if is_drawn {
                Choice::Drawn(draw)
            } else {
                Choice::Likeliest
            };
            let found = chosen(&mut drawing, last, &mut second, choice);
            let logits = logits(&mut plain, last, &mut first);

            let (best, most) = logits
                .iter()
                .enumerate()
                .fold(
                    (0, f32::MIN),
                    |best, (at, &it)| if it > best.1 { (at, it) } else { best },
                );
            if is_drawn {
                let answer = &history[30..];
                let [from, to] = share(&logits, &draw, [&history, answer], biased, found.token);
                let part = f64::from(draw.part);
                assert!(
                    from - 1e-5 <= part && part <= to + 1e-5,
                    "{draw:?}: token {} is from {from} to {to}",
                    found.token
                );
            } else {
                assert_eq!(found.token as usize, best, "step {step_number}");
            }
            let weight = |logit: f32| f64::from(logit - most).exp();
            let sum: f64 = logits.iter().map(|it| weight(*it)).sum();
            let expected = weight(logits[found.token as usize]);
            assert!((f64::from(found.probability) * sum / expected - 1.0).abs() < 1e-4);
            let logprob = |token: u32| f64::from(logits[token as usize] - most) - sum.ln();
            assert!((f64::from(found.logprob) - logprob(found.token)).abs() < 1e-4);
            let mut ranked: Vec<u32> = (0..logits.len() as u32).collect();
            ranked.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]));
            let reported: Vec<u32> = found.likeliest.iter().map(|it| it.token).collect();
            assert_eq!(reported, ranked[..7], "step {step_number}");
            for it in &found.likeliest {
                assert!((f64::from(it.logprob) - logprob(it.token)).abs() < 1e-4);
            }
            history.push(found.token);
        }
    }
}

/// The part from 0 to 1 that `token` has in the cumulative probability after bias, penalties,
/// temperature and filters. It is empty and beyond 1 if they leave the token out.
fn share(
    logits: &[f32],
    draw: &Draw<'_>,
    [history, answer]: [&[u32]; 2],
    biased: &[LogitBias],
    token: u32,
) -> [f64; 2] {
    let sampling = draw.sampling;
    let mut logits: Vec<f64> = logits.iter().map(|it| f64::from(*it)).collect();
    let penalty = f64::from(sampling.repetition_penalty);
    let window = match sampling.repetition_window {
        0 => history.len(),
        window => window.min(history.len()),
    };
    let latest = &history[history.len() - window..];
    for (id, logit) in (0..).zip(&mut logits) {
        let own = biased.iter().filter(|it| it.token == id);
        *logit += own.map(|it| f64::from(it.bias)).sum::<f64>();
        if latest.contains(&id) {
            *logit *= if *logit > 0.0 {
                penalty.recip()
            } else {
                penalty
            };
        }
        let count = answer.iter().filter(|it| **it == id).count();
        *logit -= f64::from(sampling.frequency_penalty) * count as f64;
        if count > 0 {
            *logit -= f64::from(sampling.presence_penalty);
        }
    }
    let mut ranked: Vec<usize> = (0..logits.len()).collect();
    // Stable: of equal ones the smaller token first.
    ranked.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    if sampling.temperature == 0.0 {
        ranked.truncate(1);
    }
    if sampling.top_k > 0 {
        ranked.truncate(sampling.top_k);
    }
    let largest = logits[ranked[0]];
    let temperature = f64::from(sampling.temperature).max(1e-9);
    let weight = |id: &usize| ((logits[*id] - largest) / temperature).exp();
    let total: f64 = ranked.iter().map(weight).sum();
    let mut sum = 0.0;
    let nucleus = ranked.iter().take_while(|id| {
        let before = sum;
        sum += weight(id);
        before < f64::from(sampling.top_p) * total
    });
    let mut kept: Vec<usize> = nucleus.copied().collect();
    kept.retain(|id| weight(id) >= f64::from(sampling.min_p));
    kept.sort_unstable();
    let total: f64 = kept.iter().map(weight).sum();
    let before: f64 = kept
        .iter()
        .take_while(|id| **id < token as usize)
        .map(weight)
        .sum();
    if kept.contains(&(token as usize)) {
        [before / total, (before + weight(&(token as usize))) / total]
    } else {
        [2.0, 2.0]
    }
}

/// A token that the device chose is where the next step begins, before the host has heard of it.
#[test]
fn a_chosen_token_need_not_come_back() {
    let model = model(LLAMA, BlockFormat::Q8_0);
    let config = config(&model, CacheType::F32);
    let gpu = devices::opened();
    let begin = || {
        let cache = prefilled(&model, config.clone(), &tokens(12));
        let decoder = FusedDecoder::new(&model, pipelines(), gpu, &cache);
        (cache, decoder.unwrap().unwrap())
    };
    let read = |pending: PendingToken| pollster::block_on(pending).unwrap().token;

    let (mut cache, mut decoder) = begin();
    let mut one_by_one = vec![9];
    for step in 0..12 {
        let fed = InputToken::Token(one_by_one[step]);
        let pending = decoder
            .step(fed, &mut cache, StepRequest::default())
            .unwrap();
        one_by_one.push(read(pending.unwrap()));
    }

    let (mut cache, mut decoder) = begin();
    let mut ahead = vec![9];
    let mut fed = InputToken::Token(9);
    let mut before = None;
    for _ in 0..12 {
        let pending = decoder
            .step(fed, &mut cache, StepRequest::default())
            .unwrap();
        ahead.extend(before.replace(pending.unwrap()).map(read));
        fed = InputToken::Sampled;
    }
    ahead.extend(before.map(read));
    assert_eq!(ahead, one_by_one);
}

/// Steps by tensor operations, prompts and truncation may come between steps in place. A copy stays
/// as it was.
#[test]
fn both_ways_take_turns() {
    let model = model(LLAMA, BlockFormat::Q8_0);
    let config = config(&model, CacheType::F32).with_decode(DecodeStrategy::Slide);
    let tokens = tokens(60);
    let mut plain = prefilled(&model, config.clone(), &tokens[..20]);
    let mut mixed = prefilled(&model, config, &tokens[..20]);
    let decoder = FusedDecoder::new(&model, pipelines(), devices::opened(), &mixed);
    let mut decoder = decoder.unwrap().unwrap();
    let mut kept = None;
    for (t, &token) in tokens[20..].iter().enumerate() {
        if t == 20 {
            for cache in [&mut plain, &mut mixed] {
                model.append(&tokens[..9], cache, LogitRows::None).unwrap();
                for layer in 0..model.config().layers {
                    cache.finish_prefill(layer).unwrap();
                }
            }
        }
        let expected = run::read_back(model.step(token, &mut plain).unwrap());
        let found = if t % 5 == 3 {
            run::read_back(model.step(token, &mut mixed).unwrap())
        } else {
            logits(&mut decoder, token, &mut mixed)
        };
        let off = difference(&found, &expected);
        assert!(off < CLOSE, "step {t}: {off}");
        if t == 10 {
            kept = Some((mixed.clone(), retained(&mixed, 1)));
        }
    }
    let (copy, before) = kept.unwrap();
    assert_eq!(retained(&copy, 1), before);
    assert_eq!(retained(&mixed, 1).len(), retained(&plain, 1).len());
}

/// A step's work on every machine: eight kernels per layer and at most six more, one submission,
/// one readback. Where nothing is selected, nothing is launched for it.
#[test]
fn a_step_is_one_submission_of_few_kernels() {
    let model = model(QWEN3, BlockFormat::Q8_0);
    let layers = model.config().layers;
    // Rows in a frame take one kernel more.
    let selections = |decode, cache_type: CacheType| {
        let kernels = if cache_type == CacheType::F16 { 8 } else { 9 };
        let config = config(&model, cache_type).with_decode(decode);
        let mut cache = prefilled(&model, config, &tokens(30));
        let gpu = devices::opened();
        let decoder = FusedDecoder::new(&model, pipelines(), gpu, &cache);
        let mut decoder = decoder.unwrap().unwrap();
        let mut selections = 0;
        for token in tokens(40) {
            let pending =
                decoder.step(InputToken::Token(token), &mut cache, StepRequest::default());
            pollster::block_on(pending.unwrap().unwrap()).unwrap();
            let counts = decoder.counts();
            assert!(counts.dispatches <= kernels * layers + 6, "{counts:?}");
            assert_eq!((counts.submissions, counts.read_bytes), (1, 16));
            assert!(counts.uploaded_bytes < 2048, "{counts:?}");
            selections += counts.selections;
        }
        let noted: usize = (0..layers)
            .flat_map(|layer| cache.selections(layer).unwrap().to_vec())
            .map(|range| range.len())
            .sum();
        // A rule may act and find that all it has may stay.
        assert!(selections <= noted, "{decode}");
        selections
    };
    for cache_type in [CacheType::F16, CacheType::H8, CacheType::H4] {
        assert_eq!(selections(DecodeStrategy::Full, cache_type), 0);
    }
    let [slide, adaptive, discontinuous] = [
        DecodeStrategy::Slide,
        DecodeStrategy::Adaptive,
        DecodeStrategy::Discontinuous,
    ]
    .map(|decode| selections(decode, CacheType::F16));
    assert!(discontinuous < slide && discontinuous < adaptive);
}

/// `true` if both ways retained the same positions. Others have to be of equal scores: a code
/// that is the next one may turn a tie.
fn same_but_for_ties(
    found: &[(Vec<u32>, Vec<f32>)],
    expected: &[(Vec<u32>, Vec<f32>)],
    place: &str,
) -> bool {
    let others = |these: &(Vec<u32>, Vec<f32>), those: &(Vec<u32>, Vec<f32>)| {
        let scored = these.0.iter().zip(&these.1);
        let others = scored.filter(|(position, _)| !those.0.contains(position));
        let mut scores: Vec<f32> = others.map(|(_, score)| *score).collect();
        scores.sort_by(f32::total_cmp);
        scores
    };
    let mut is_same = true;
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.0.len(), expected.0.len(), "{place}");
        for (a, b) in others(found, expected)
            .into_iter()
            .zip(others(expected, found))
        {
            assert!(
                (a - b).abs() <= 0.01 * a.max(b),
                "{place}: scores {a} and {b}"
            );
            is_same = false;
        }
    }
    is_same
}

/// Rows in a frame give the same logits by both ways while they leave the exact window. So they do
/// after going back, and in a later turn.
///
/// Both ways round sums in their own order, so that now and then a code is the next one. Tolerances
/// are for a few such codes; a cache of f16 is further off than they allow.
#[test]
fn rounded_rows() {
    let (h8, h4) = (CacheType::H8, CacheType::H4);
    let of = |keys, values| CacheTypes { keys, values };
    let headed = |head_dim| Sizes {
        head_dim,
        rotated: head_dim,
        ..LLAMA
    };
    let eight = Sizes {
        head_dim: 32,
        rotated: 32,
        ..GROUP_OF_EIGHT
    };
    let cases = [
        (
            headed(32),
            of(h8, h8),
            PrefillMethod::Full,
            DecodeStrategy::Full,
            0,
        ),
        (
            LLAMA,
            of(h4, h4),
            PrefillMethod::Full,
            DecodeStrategy::Full,
            1,
        ),
        (
            headed(96),
            of(h4, CacheType::F16),
            PrefillMethod::SnapKv,
            DecodeStrategy::Slide,
            2,
        ),
        (
            QWEN2,
            of(h8, h4),
            PrefillMethod::H2o,
            DecodeStrategy::H2o,
            0,
        ),
        (
            QWEN3,
            of(h4, h4),
            PrefillMethod::SnapKv,
            DecodeStrategy::Adaptive,
            1,
        ),
        (
            eight,
            of(h8, h8),
            PrefillMethod::Full,
            DecodeStrategy::DecayedSlide,
            2,
        ),
    ];
    for (sizes, types, prefill, decode, tuning) in cases {
        let model = model(sizes, BlockFormat::Q8_0);
        let name = format!("{sizes:?}, {types}, {decode}");
        let config = config(&model, CacheType::F16)
            .with_cache_type(types)
            .with_prefill(prefill)
            .with_decode(decode);
        let close = if types.each().contains(&h4) {
            5.0 * CLOSE
        } else {
            2.0 * CLOSE
        };
        let tokens = tokens(20 + 48);
        let mut plain = prefilled(&model, config.clone(), &tokens[..20]);
        let mut fused = prefilled(&model, config.clone(), &tokens[..20]);
        let mut float = prefilled(
            &model,
            config.with_cache_type(CacheType::F16),
            &tokens[..20],
        );
        let decoder = |cache: &ScopeCache| {
            let gpu = devices::opened();
            let decoder = FusedDecoder::tuned(&model, pipelines(), gpu, cache, tunings()[tuning]);
            decoder.unwrap().expect("kernels")
        };
        let mut fused_steps = decoder(&fused);
        let (mut most, mut most_float, mut ties) = (0.0_f64, 0.0_f64, 0);
        let mut both = |plain: &mut ScopeCache, fused: &mut ScopeCache, tokens: &[u32], when| {
            for (t, &token) in tokens.iter().enumerate() {
                let expected = run::read_back(model.step(token, plain).unwrap());
                let found = logits(&mut fused_steps, token, fused);
                let off = difference(&found, &expected);
                assert!(
                    off < close,
                    "{name}, {when}, step {t}: logits are off by {off}"
                );
                assert_eq!(fused.memory(), plain.memory(), "{name}, {when}, step {t}");
                most = most.max(off);
                if when == "first turn" {
                    let float = run::read_back(model.step(token, &mut float).unwrap());
                    most_float = most_float.max(difference(&float, &expected));
                }
                let is_same = (0..sizes.layers).all(|layer| {
                    let place = format!("{name}, {when}, step {t}, layer {layer}");
                    assert_eq!(fused.selections(layer), plain.selections(layer), "{place}");
                    same_but_for_ties(&retained(fused, layer), &retained(plain, layer), &place)
                });
                if !is_same {
                    ties += 1;
                    *fused = plain.clone();
                    fused_steps = decoder(fused);
                }
            }
        };
        both(&mut plain, &mut fused, &tokens[20..], "first turn");
        for cache in [&mut plain, &mut fused] {
            pollster::block_on(cache.truncate(50)).unwrap();
        }
        both(&mut plain, &mut fused, &tokens[..10], "after going back");
        for cache in [&mut plain, &mut fused] {
            model.append(&tokens[..9], cache, LogitRows::None).unwrap();
            for layer in 0..sizes.layers {
                cache.finish_prefill(layer).unwrap();
            }
        }
        both(&mut plain, &mut fused, &tokens[30..50], "later turn");
        println!("{name}: off by {most}, f16 by {most_float}, {ties} ties");
        assert!(ties < 3, "{name}: {ties} ties");
        assert!(
            most_float > close,
            "{name}: f16 is off by {most_float} only"
        );
    }
}

/// Rows of every size of heads, and of types that differ, against a plain model on a plain cache.
#[test]
fn rounded_rows_of_any_size_are_those_of_the_plain_model() {
    let (h8, h4) = (CacheType::H8, CacheType::H4);
    let of = |keys, values| CacheTypes { keys, values };
    for (nth, (head_dim, types)) in [
        (32, of(h4, h8)),
        (32, of(h8, CacheType::F32)),
        (64, of(h4, h4)),
        (96, of(h8, h8)),
        (96, of(h4, h4)),
        (128, of(CacheType::F16, h4)),
        (160, of(h8, h4)),
        (192, of(h8, h8)),
        (192, of(h4, h4)),
        (192, of(h4, h8)),
        (256, of(h8, h8)),
        (256, of(h4, h4)),
        (256, of(h8, CacheType::F16)),
        (256, of(CacheType::F16, CacheType::F16)),
    ]
    .into_iter()
    .enumerate()
    {
        let sizes = Sizes {
            head_dim,
            rotated: head_dim,
            ..LLAMA
        };
        let (gpu, tuning) = (devices::opened(), tunings()[nth % 3]);
        let decoded = decodes_as_the_plain_model(gpu, pipelines(), tuning, sizes, types);
        pollster::block_on(decoded);
    }
}

/// Heads that hold different numbers of slots, after a cache was truncated, stay on the fused path.
#[test]
fn heads_may_differ() {
    let model = model(LLAMA, BlockFormat::Q8_0);
    let mut differing = [0, 0];
    for decode in DecodeStrategy::ALL {
        let config = config(&model, CacheType::F32)
            .with_prefill(PrefillMethod::SnapKv)
            .with_decode(*decode);
        let tokens = tokens(88);
        let mut decoded = prefilled(&model, config, &tokens[..40]);
        for &token in &tokens[40..70] {
            let _ = model.step(token, &mut decoded).unwrap();
        }
        // Into decoding, where the turn goes on; into the prompt, where it begins anew.
        for (length, tuning) in [(52, tunings()[0]), (33, tunings()[1])] {
            let mut plain = decoded.clone();
            pollster::block_on(plain.truncate(length)).unwrap();
            let mut fused = plain.clone();
            let held = |cache: &ScopeCache, layer| {
                let heads = cache.held(layer).unwrap();
                heads.iter().map(|head| head.held).collect::<Vec<_>>()
            };
            let differ = |layer| held(&plain, layer).windows(2).any(|it| it[0] != it[1]);
            differing[usize::from(length < 40)] += usize::from((0..LLAMA.layers).any(differ));

            let decoder =
                FusedDecoder::tuned(&model, pipelines(), devices::opened(), &fused, tuning);
            let mut decoder = decoder.unwrap().expect("kernels");
            for (t, &token) in tokens[70..].iter().enumerate() {
                let name = format!("{decode}, {length}, step {t}");
                let expected = run::read_back(model.step(token, &mut plain).unwrap());
                let found = logits(&mut decoder, token, &mut fused);
                assert!(difference(&found, &expected) < CLOSE, "{name}: logits");
                for layer in 0..LLAMA.layers {
                    assert_eq!(held(&fused, layer), held(&plain, layer), "{name}");
                }
                if t % 7 == 0 || t + 1 == tokens.len() - 70 {
                    for layer in 0..LLAMA.layers {
                        let (found, expected) = (retained(&fused, layer), retained(&plain, layer));
                        let positions = |heads: &[(Vec<u32>, Vec<f32>)]| {
                            heads.iter().map(|head| head.0.clone()).collect::<Vec<_>>()
                        };
                        assert_eq!(positions(&found), positions(&expected), "{name}");
                    }
                }
            }
        }
    }
    // Most of them, and some in either way; which ones depends on the model's weights.
    assert!(differing[0] > 3 && differing[1] > 5, "{differing:?}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let model = model(LLAMA, BlockFormat::Q8_0);
    let gpu = devices::opened();
    let of = |sizes: &Llama, cache_type| {
        let config = sizes.config().cache().with_cache_type(cache_type);
        prefilled(sizes, config, &[1, 2, 3])
    };
    let mut cache = of(&model, CacheType::F32);
    let decoder = FusedDecoder::new(&model, pipelines(), gpu, &cache);
    let mut decoder = decoder.unwrap().unwrap();
    let mut step = |token, cache: &mut ScopeCache| {
        let position = cache.position();
        let stepped = decoder.step(InputToken::Token(token), cache, StepRequest::default());
        assert_eq!(cache.position(), position);
        stepped.map(|pending| pending.is_some())
    };

    let unknown = step(LLAMA.vocabulary as u32, &mut cache).unwrap_err();
    assert!(unknown.to_string().contains("no token"), "{unknown}");
    let others = self::model(GROUP_OF_EIGHT, BlockFormat::Q8_0);
    let mismatch = step(1, &mut of(&others, CacheType::F32)).unwrap_err();
    assert_eq!(mismatch.code(), "invalid-argument", "{mismatch}");
    // The kernels are written for one type; tensor operations are not.
    assert!(!step(1, &mut of(&model, CacheType::F16)).unwrap());
}

#[test]
fn sizes_that_no_kernel_is_written_for() {
    let model = model(LLAMA_ODD, BlockFormat::F16);
    let config = model.config().cache().with_cache_type(CacheType::F32);
    let cache = prefilled(&model, config, &[1, 2, 3]);
    let decoder = FusedDecoder::new(&model, pipelines(), devices::opened(), &cache);
    assert!(decoder.unwrap().is_none());
}

/// Numbers between two neighbouring f16: halfway, next to that, subnormal and too large, too.
fn between_halves() -> Vec<f32> {
    let mut numbers = vec![
        65_504.0, 65_519.9, 65_520.0, -65_520.0, 1e9, -1e9, 1e-9, 2.9e-8, 3e-8,
    ];
    for bits in (0..0x7bff_u16).step_by(7) {
        let [low, high] = [bits, bits + 1].map(|bits| half::f16::from_bits(bits).to_f32());
        let tie = low.midpoint(high);
        numbers.extend([tie, tie.next_up(), tie.next_down(), -tie]);
    }
    numbers
}

/// All writers of an f16 cache round as the crate `half`: the tensor path's prompt and step, the
/// fused kernel. The model's embedding picks one column of the matrices for keys and values, and
/// its norm scales by 1/16.
#[test]
fn all_writers_of_f16_round_alike() {
    const TOKENS: usize = 200;
    let sizes = Sizes {
        layers: 1,
        context: 512,
        rotated: 32,
        ..LLAMA
    };
    let (width, dim, rows) = (sizes.width, sizes.head_dim, sizes.kv_heads * sizes.head_dim);
    let numbers = between_halves();
    let number = |row: usize, token: usize| numbers[(token * rows + row) % numbers.len()];
    assert!(TOKENS * rows > numbers.len());
    let mut tiny = TinyModel::new(sizes, BlockFormat::F32);
    for tensor in &mut tiny.tensors {
        let count: usize = tensor.shape.iter().product();
        let element: &dyn Fn(usize) -> f32 = match tensor.name.as_str() {
            "token_embd.weight" => &|at| if at / width == at % width { 256.0 } else { 0.0 },
            "blk.0.attn_norm.weight" => &|_| 1.0,
            "blk.0.attn_k.weight" | "blk.0.attn_v.weight" => {
                &|at| number(at / width, at % width) / 16.0
            }
            _ => continue,
        };
        tensor.elements = (0..count).map(element).collect();
        let bytes = tensor.elements.iter().flat_map(|it| it.to_le_bytes());
        tensor.bytes = bytes.collect();
    }
    let model = run::load_gguf(&tiny.gguf().bytes(), devices::opened().device()).unwrap();

    let config = model.config().cache().with_cache_type(CacheType::F16);
    let tokens: Vec<u32> = (0..TOKENS as u32).collect();
    let mut cache = prefilled(&model, config, &tokens);
    let _ = model.step(7, &mut cache).unwrap();
    let (gpu, tuning) = (devices::opened(), tunings()[0]);
    let decoder = FusedDecoder::tuned(&model, pipelines(), gpu, &cache, tuning);
    let mut decoder = decoder.unwrap().expect("kernels");
    for &token in &tokens {
        let stepped = decoder.step(InputToken::Token(token), &mut cache, StepRequest::default());
        // Numbers as large as these have no logits; their rows are written all the same.
        let _ = pollster::block_on(stepped.unwrap().expect("a step in place"));
    }

    let written: Vec<u32> = tokens.iter().chain(&[7]).chain(&tokens).copied().collect();
    let saved = SavedLayer::of(&cache, &sizes);
    let mut rows_seen = 0;
    for (slot, &position) in saved.positions.iter().enumerate() {
        let Ok(position) = usize::try_from(position) else {
            continue;
        };
        let first_row = slot / saved.capacity * dim;
        for element in 0..dim {
            let number = number(first_row + element, written[position] as usize);
            let expected = half::f16::from_f32(number).to_bits();
            let at = slot * dim + element;
            assert_eq!(saved.values[at], expected, "{number:e} at {position}");
            // RoPE turns the elements before.
            if element >= sizes.rotated {
                assert_eq!(saved.keys[at], expected, "{number:e} at {position}");
            }
        }
        rows_seen += 1;
    }
    assert_eq!(rows_seen, sizes.kv_heads * written.len());
}

/// The only layer of a saved f16 cache: keys and values in bits, slot by slot.
struct SavedLayer {
    capacity: usize,
    keys: Vec<u16>,
    values: Vec<u16>,
    positions: Vec<i32>,
}

impl SavedLayer {
    fn of(cache: &ScopeCache, sizes: &Sizes) -> Self {
        let bytes = pollster::block_on(cache.save()).unwrap();
        let (preamble, rest) = bytes.split_at(16);
        let length = u32::from_le_bytes(preamble[12..].try_into().unwrap()) as usize;
        let (header, rest) = rest.split_at(length);
        let header: serde_json::Value = serde_json::from_slice(header).unwrap();
        let capacity = header["layers"][0]["capacity"].as_u64().unwrap() as usize;
        let slots = sizes.kv_heads * capacity;
        let (keys, rest) = rest.split_at(2 * slots * sizes.head_dim);
        let (values, rest) = rest.split_at(2 * slots * sizes.head_dim);
        let halves = |bytes: &[u8]| {
            let (halves, _) = bytes.as_chunks::<2>();
            halves.iter().map(|it| u16::from_le_bytes(*it)).collect()
        };
        let (positions, _) = rest[..4 * slots].as_chunks::<4>();
        Self {
            capacity,
            keys: halves(keys),
            values: halves(values),
            positions: positions.iter().map(|it| i32::from_le_bytes(*it)).collect(),
        }
    }
}
