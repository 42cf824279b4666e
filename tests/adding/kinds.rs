//! The kinds that `docs/adding.md` adds, against what is known of them otherwise.
//! `cargo xtask adding` adds them to a copy of the checkout, and runs these tests there.

#![cfg(not(target_family = "wasm"))]
#![allow(dead_code, unused_imports, reason = "the support is that of all tests")]

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::process::Command;

use burn::tensor::{Device, Tensor, TensorData};
use kvscope::cache::{
    Budget, CacheOptions, CacheType, DecodeStrategy, PrefillMethod, ScopeCache, ScopeCacheConfig,
};
use kvscope::formats::BlockFormat;
use kvscope::fused::{FusedDecoder, Pipelines, Tuning};
use kvscope::generate::{Choice, InputToken, Sampler, SamplingConfig, StepDecoder, StepRequest};
use kvscope::kernels::{pack_rows, unpack_rows};
use kvscope::model::{Architecture, Llama, LogitRows};
use kvscope::policy::decode::batched::BATCH;
use kvscope::policy::prefill::deepsnap::WHOLE_LAYERS;

use support::devices;
use support::difference::difference;
use support::kernels::numbers;
use support::tiny_model::sizes::{LLAMA_TIED, Sizes};
use support::tiny_model::{TinyModel, run};

/// The command's output, with its lines joined.
fn printed(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvscope-adding"));
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn they_appear_by_themselves() {
    let help = printed(&["generate", "--help"]);
    let policies = printed(&["policies"]);
    // What the page reads, and what the package's types are made of.
    let catalogue = serde_json::to_string(&CacheOptions::catalogue()).unwrap();
    let types = kvscope::policy::TYPESCRIPT;
    for (name, sentence) in [
        (
            "deepsnap",
            "As SnapKV, but the first layers keep the whole prompt",
        ),
        (
            "batched",
            "As slide, but slots pile up and are then evicted together",
        ),
    ] {
        for text in [&help, &policies, &catalogue] {
            assert!(text.contains(name), "no {name} in {text}");
            assert!(text.contains(sentence), "no {sentence:?} in {text}");
        }
    }
    for flag in ["--whole-layers", "--batch", "--epsilon-cutoff"] {
        assert!(help.contains(flag), "no {flag} in {help}");
    }
    assert!(help.contains("q8"), "{help}");
    assert!(
        help.contains("Choose among tokens with at least this probability [default: 0]"),
        "{help}"
    );
    for field in ["wholeLayers?: number", "batch?: number"] {
        assert!(types.contains(field), "no {field} in {types}");
    }
    let requests = kvscope::generate::TYPESCRIPT;
    for text in [
        "Least probability of a kept token after all other filters",
        "epsilon_cutoff?: number | null;",
    ] {
        assert!(requests.contains(text), "no {text:?} in {requests}");
    }
    let [(_, flags), (_, fields)] = SamplingConfig::tables();
    assert!(flags.contains("| `--epsilon-cutoff` | `0` | from 0 to 1 | Least probability"));
    assert!(fields.contains("| `epsilon_cutoff` | from 0 to 1 | Least probability"));
}

fn random(shape: [usize; 3], seed: u32, device: &Device) -> Tensor<3> {
    let count = shape.iter().product();
    Tensor::from_data(TensorData::new(numbers(count, seed), shape), device)
}

/// A cache of `config` after a prompt of `tokens`, and each layer's attention at the first step.
fn stepped(
    config: &ScopeCacheConfig,
    tokens: usize,
    device: &Device,
) -> (ScopeCache, Vec<Vec<f32>>) {
    let mut cache = config.init(device).unwrap();
    let (queries, heads, dim) = (config.query_heads, config.kv_heads, config.head_dim);
    let attention = (0..config.layers).map(|layer| {
        let seed = 10 * layer as u32;
        let of = |heads, tokens, nth| random([heads, tokens, dim], seed + nth, device);
        let (keys, values) = (of(heads, tokens, 1), of(heads, tokens, 2));
        cache
            .append(layer, of(queries, tokens, 0), keys, values)
            .unwrap();
        cache.finish_prefill(layer).unwrap();
        let one = |heads, nth| of(heads, 1, nth).reshape([heads, dim]);
        let attended = cache.step(layer, one(queries, 3), one(heads, 4), one(heads, 5));
        run::read_back(attended.unwrap())
    });
    let attention = attention.collect();
    (cache, attention)
}

#[test]
fn deepsnap_is_full_in_the_first_layers_and_snapkv_in_the_others() {
    let with = |method| {
        ScopeCacheConfig::new(3, 2, 2, 4)
            .with_prefill(method)
            .with_prefill_budget(Budget::Slots(10))
            .with_observation_window(4)
            .with_kernel(3)
            .with(&WHOLE_LAYERS, 1)
    };
    let device = devices::flex();
    let (cache, attention) = stepped(&with(PrefillMethod::DeepSnap), 31, &device);
    let (_, full) = stepped(&with(PrefillMethod::Full), 31, &device);
    let (_, snapkv) = stepped(&with(PrefillMethod::SnapKv), 31, &device);
    let prompt = |layer| cache.held(layer).unwrap()[0].prefill;
    assert_eq!([0, 1, 2].map(prompt), [31, 10, 10]);
    assert_eq!(attention[0], full[0]);
    assert_eq!(attention[1..], snapkv[1..]);
    assert_ne!(full[1], snapkv[1]);
}

#[test]
fn batched_evicts_a_batch_at_a_time() {
    let config = ScopeCacheConfig::new(1, 1, 1, 4)
        .with_decode(DecodeStrategy::Batched)
        .with_decode_budget(Budget::Slots(8))
        .with_recent(3)
        .with(&BATCH, 4);
    let (mut cache, _) = stepped(&config, 5, &devices::flex());
    let token = |seed| random([1, 1, 4], seed, &devices::flex()).reshape([1, 4]);
    // 8 stay of 12.
    let expected = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 8, 9, 10, 11, 8, 9];
    for (steps, decode) in (1..).zip(expected) {
        let held = cache.held(0).unwrap()[0];
        assert_eq!((held.prefill, held.decode()), (5, decode), "{steps} steps");
        let planned = config.policy.planned_slots((1, 1), 5, steps).unwrap();
        assert_eq!(planned[0][0], held);
        cache.step(0, token(1), token(2), token(3)).unwrap();
    }
}

#[test]
fn q8_rows_are_within_half_a_step() {
    let format = CacheType::Q8.row_format();
    assert_eq!(CacheType::Q8.row_bytes(64), 72);
    let values = numbers(5 * 64, 7);
    let device = devices::gpu();
    let rows = Tensor::<2>::from_data(TensorData::new(values.clone(), [5, 64]), &device);
    let back = run::read_back(unpack_rows(pack_rows(rows, format).unwrap(), 64, format).unwrap());
    for (before, after) in values.chunks(32).zip(back.chunks(32)) {
        let largest = before.iter().fold(0.0_f32, |most, it| most.max(it.abs()));
        for (before, after) in before.iter().zip(after) {
            assert!(
                (before - after).abs() <= largest / 127.0 * 0.501,
                "{before} {after}"
            );
        }
    }
}

#[test]
fn attention_over_q8_is_close_to_that_over_f32() {
    for device in [devices::flex(), devices::gpu()] {
        let of = |cache_type| {
            let config = ScopeCacheConfig::new(2, 4, 2, 32).with_cache_type(cache_type);
            stepped(&config, 21, &device).1.concat()
        };
        let (exact, found) = (of(CacheType::F32), of(CacheType::Q8));
        assert_ne!(found, exact);
        for (exact, found) in exact.iter().zip(&found) {
            assert!((exact - found).abs() < 0.01, "{exact} {found}");
        }
    }
}

/// Tokens of a prompt, and as many that are decoded after it.
const DECODED: [u32; 32] = [
    258, 3, 77, 77, 0, 101, 200, 31, 255, 8, 19, 140, 66, 5, 230, 91, 12, 250, 47, 118, 33, 2, 161,
    74, 209, 56, 13, 99, 180, 27, 145, 60,
];

/// Fused kernels, and a cache that has taken in the prompt.
fn prefilled(model: &Llama, config: &ScopeCacheConfig) -> (FusedDecoder, ScopeCache) {
    let gpu = devices::opened();
    let mut cache = config.init(gpu.device()).unwrap();
    let prompt = &DECODED[..DECODED.len() / 2];
    model.append(prompt, &mut cache, LogitRows::None).unwrap();
    for layer in 0..config.layers {
        cache.finish_prefill(layer).unwrap();
    }
    let pipelines = Pipelines::default();
    let decoder = FusedDecoder::tuned(model, &pipelines, gpu, &cache, Tuning::PARALLEL);
    (decoder.unwrap().expect("kernels for this cache"), cache)
}

/// Logits and held slots of every decode step, by fused kernels or by tensor operations.
fn decoded(model: &Llama, config: &ScopeCacheConfig, fused: bool) -> (Vec<f32>, Vec<usize>) {
    let tokens = &DECODED[DECODED.len() / 2..];
    let (mut decoder, mut cache) = prefilled(model, config);
    let (mut logits, mut held) = (Vec::new(), Vec::new());
    for &token in tokens {
        logits.extend(if fused {
            let pending = decoder.step_logits(InputToken::Token(token), &mut cache, true);
            pollster::block_on(pending.unwrap().expect("a fused step")).unwrap()
        } else {
            run::read_back(model.step(token, &mut cache).unwrap())
        });
        let heads = (0..config.layers).map(|layer| cache.held(layer).unwrap()[0].held);
        held.extend(heads);
    }
    (logits, held)
}

#[test]
fn batched_and_q8_run_in_the_fused_kernels() {
    let tiny = TinyModel::new(LLAMA_TIED, BlockFormat::Q8_0);
    let device = devices::opened().device();
    let model = run::load_gguf(&tiny.gguf().bytes(), device).unwrap();
    let config = |cache_type| {
        let config = model.config().cache().with_cache_type(cache_type);
        config
            .with_decode(DecodeStrategy::Batched)
            .with_decode_budget(Budget::Slots(6))
            .with_recent(3)
            .with(&BATCH, 3)
    };
    // Both paths round f32 sums in their own order; that may tip an 8-bit integer.
    for (cache_type, close) in [(CacheType::F32, 1e-3), (CacheType::Q8, 0.05)] {
        let config = config(cache_type);
        let (found, held) = decoded(&model, &config, true);
        let (expected, plain_held) = decoded(&model, &config, false);
        assert_eq!(held, plain_held, "{cache_type}");
        let off = difference(&found, &expected);
        assert!(off < close, "{cache_type}: off by {off}");
    }
    let of = |cache_type| decoded(&model, &config(cache_type), true).0;
    let (quantised, exact) = (of(CacheType::Q8), of(CacheType::F32));
    assert_ne!(quantised, exact);
    let off = difference(&quantised, &exact);
    assert!(off < 0.2, "off by {off}");
}

#[test]
fn tq1_0_has_ggml_s_digits() {
    // 173 is 20102 to base 3; 183 is as many 243rds of 256, rounded up.
    let mut block = vec![128; 54];
    (block[0], block[33], block[48], block[51]) = (183, 183, 0, 255);
    block[52..].copy_from_slice(&[0x00, 0x38]);
    let mut expected = vec![0.0; 256];
    for (digit, element) in [0.5, -0.5, 0.0, -0.5, 0.5].into_iter().enumerate() {
        expected[32 * digit] = element;
        expected[160 + 16 * digit + 1] = element;
    }
    for digit in 0..4 {
        expected[240 + 4 * digit] = -0.5;
        expected[240 + 4 * digit + 3] = 0.5;
    }
    assert_eq!(BlockFormat::TQ1_0.dequantise(&block).unwrap(), expected);
    assert_eq!(BlockFormat::from_ggml(34), Ok(BlockFormat::TQ1_0));
}

const ERNIE: Sizes = Sizes {
    architecture: "ernie4_5",
    ..LLAMA_TIED
};
const TOKENS: [u32; 9] = [258, 3, 77, 77, 0, 101, 200, 31, 255];

/// The logits of prompt and steps against the plain computation in f64.
fn agrees(tiny: &TinyModel, model: &Llama, device: &Device) {
    let mut plain = tiny.plain();
    plain.turning.neighbours = true;
    let expected = plain.logits(&TOKENS).concat();
    let found = run::logits(model, device, CacheType::F32, &TOKENS, &[3, 1]).concat();
    assert_eq!(found.len(), expected.len());
    let size = expected.iter().map(|it| it * it).sum::<f64>() / expected.len() as f64;
    for (found, expected) in found.iter().zip(&expected) {
        let off = (f64::from(*found) - expected).abs();
        assert!(off < 1e-4 * size.sqrt(), "{found} {expected}");
    }
}

#[test]
fn ernie_in_tq1_0_equals_the_plain_computation() {
    let tiny = TinyModel::new(ERNIE, BlockFormat::TQ1_0);
    for device in [devices::flex(), devices::gpu()] {
        let model = run::load_gguf(&tiny.gguf().bytes(), &device).unwrap();
        agrees(&tiny, &model, &device);
    }
}

#[test]
fn ernie_from_safetensors_equals_the_plain_computation() {
    let tiny = TinyModel::new(ERNIE, BlockFormat::F32);
    let mut config = tiny.config_json();
    config["head_dim"] = ERNIE.head_dim.into();
    let config = config.to_string();
    let device = devices::flex();
    let model = run::load_safetensors(config.as_bytes(), &tiny.safetensors(), &device).unwrap();
    agrees(&tiny, &model, &device);
    let known = Architecture::from_model_type("ernie4_5").unwrap();
    assert_eq!(known, Architecture::Ernie45);
}

/// Of any cutoff the likeliest token stays.
#[test]
fn tokens_below_the_cutoff_are_not_drawn() {
    let logits = [0.6, 0.3, 0.1].map(f32::ln);
    let drawn = |options: &str| -> BTreeSet<u32> {
        let config: SamplingConfig = serde_json::from_str(options).unwrap();
        let mut sampler = Sampler::new(config).unwrap();
        let tokens = (0..200).map(|_| sampler.sample(&logits, &[]).unwrap().token);
        tokens.collect()
    };
    assert_eq!(drawn(r#"{"temperature": 1}"#), [0, 1, 2].into());
    let cut = |cutoff| {
        drawn(&format!(
            r#"{{"temperature": 1, "epsilonCutoff": {cutoff}}}"#
        ))
    };
    assert_eq!(cut(0.2), [0, 1].into());
    // After min-p, 0.6 and 0.3 are two thirds and one third.
    assert_eq!(cut(0.32), [0].into());
    let min_p = r#"{"temperature": 1, "minP": 0.4, "epsilonCutoff": 0.32}"#;
    assert_eq!(drawn(min_p), [0, 1].into());
    assert_eq!(cut(1.0), [0].into());
}

#[test]
fn the_kernel_draws_as_the_sampler_does() {
    let tiny = TinyModel::new(LLAMA_TIED, BlockFormat::Q8_0);
    let model = run::load_gguf(&tiny.gguf().bytes(), devices::opened().device()).unwrap();
    let config = model.config().cache().with_cache_type(CacheType::F32);
    let ((mut plain, mut first), (mut drawing, mut second)) =
        (prefilled(&model, &config), prefilled(&model, &config));
    // Makes unlikely tokens likely enough to be drawn.
    let temperature = 20.0_f32;
    let (mut cut_off, steps) = (0, &DECODED[DECODED.len() / 2..]);
    for (seed, &token) in (0..).zip(steps) {
        let input = InputToken::Token(token);
        let pending = plain.step_logits(input, &mut first, true);
        let logits = pollster::block_on(pending.unwrap().expect("a fused step")).unwrap();
        let warm = SamplingConfig::default()
            .with_temperature(temperature)
            .with_seed(seed);
        // Between the sixth and the seventh of the probabilities.
        let mut weights: Vec<f32> = logits.iter().map(|it| (it / temperature).exp()).collect();
        let total: f32 = weights.iter().sum();
        weights.sort_by(|a, b| b.total_cmp(a));
        let cutoff = (weights[5] + weights[6]) / 2.0 / total;
        let mut sampler = Sampler::new(warm.clone().with_epsilon_cutoff(cutoff)).unwrap();
        let request = StepRequest {
            choice: Choice::Drawn(sampler.draw(&[])),
            scores: true,
            ..StepRequest::default()
        };
        let pending = drawing.step(input, &mut second, request);
        let found = pollster::block_on(pending.unwrap().expect("a fused step")).unwrap();
        let expected = sampler.sample(&logits, &[]).unwrap();
        assert_eq!(found.token, expected.token, "seed {seed}");
        let likelier = logits
            .iter()
            .filter(|it| **it > logits[found.token as usize]);
        assert!(likelier.count() < 6, "seed {seed}");
        let without = Sampler::new(warm).unwrap().sample(&logits, &[]).unwrap();
        cut_off += usize::from(without.token != found.token);
    }
    assert!(cut_off > 0);
}

#[test]
fn a_cutoff_that_can_not_be_is_refused_by_its_name() {
    let arguments = ["--model=none.gguf", "--prompt=x", "--epsilon-cutoff=2"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvscope-adding"));
    let output = command.arg("generate").args(arguments).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let refused = "epsilon_cutoff is 2, but must be from 0 to 1";
    assert!(said.contains(refused), "{said}");
}
