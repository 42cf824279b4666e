//! The kinds that `docs/adding.md` adds, against what is known of them otherwise.
//! `cargo xtask adding` adds them to a copy of the checkout, and runs these tests there.

#![cfg(not(target_family = "wasm"))]
#![allow(dead_code, unused_imports, reason = "the support is that of all tests")]

#[path = "../support/mod.rs"]
mod support;

use std::process::Command;

use burn::tensor::{Device, Tensor, TensorData};
use kvscope::cache::{
    Budget, CacheOptions, CacheType, DecodeStrategy, PrefillMethod, ScopeCache, ScopeCacheConfig,
};
use kvscope::formats::BlockFormat;
use kvscope::fused::{FusedDecoder, Pipelines, Tuning};
use kvscope::generate::{InputToken, Sampler, SamplingConfig};
use kvscope::kernels::{pack_rows, unpack_rows};
use kvscope::model::{Architecture, Llama, LogitRows};
use kvscope::policy::decode::batched::BATCH;
use kvscope::policy::prefill::deepsnap::WHOLE_LAYERS;

use support::devices;
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
    for flag in ["--whole-layers", "--batch", "--repetition-skip"] {
        assert!(help.contains(flag), "no {flag} in {help}");
    }
    assert!(help.contains("q8"), "{help}");
    for field in ["wholeLayers?: number", "batch?: number"] {
        assert!(types.contains(field), "no {field} in {types}");
    }
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

/// Logits and held slots of every decode step, by fused kernels or by tensor operations.
fn decoded(model: &Llama, config: &ScopeCacheConfig, fused: bool) -> (Vec<f32>, Vec<usize>) {
    let gpu = devices::opened();
    let (prompt, tokens) = DECODED.split_at(DECODED.len() / 2);
    let mut cache = config.init(gpu.device()).unwrap();
    model.append(prompt, &mut cache, LogitRows::None).unwrap();
    for layer in 0..config.layers {
        cache.finish_prefill(layer).unwrap();
    }
    let pipelines = Pipelines::default();
    let decoder = FusedDecoder::tuned(model, &pipelines, gpu, &cache, Tuning::PARALLEL);
    let mut decoder = decoder.unwrap().expect("kernels for this cache");
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

/// Largest difference, in units of the root mean square of `expected`.
fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let square: f32 = expected.iter().map(|it| it * it).sum();
    let scale = (square / expected.len() as f32).sqrt();
    let pairs = found.iter().zip(expected);
    pairs.fold(0.0, |most: f32, (found, expected)| {
        let off = (found - expected).abs();
        assert!(off.is_finite());
        most.max(off / scale)
    })
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
fn iq4_nl_has_ggml_s_levels() {
    // d = 0.5, the low nibbles 0 to 15, the high ones 15 to 0.
    let mut block = vec![0x00, 0x38];
    block.extend((0..16_u8).map(|i| i | (15 - i) << 4));
    let levels = [
        -63.5, -52.0, -41.5, -32.5, -24.5, -17.5, -11.0, -5.0, 0.5, 6.5, 12.5, 19.0, 26.5, 34.5,
        44.5, 56.5,
    ];
    let expected: Vec<f32> = levels.into_iter().chain(levels.into_iter().rev()).collect();
    assert_eq!(BlockFormat::IQ4_NL.dequantise(&block).unwrap(), expected);
    assert_eq!(BlockFormat::from_ggml(20), Ok(BlockFormat::IQ4_NL));
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
fn ernie_in_iq4_nl_equals_the_plain_computation() {
    let tiny = TinyModel::new(ERNIE, BlockFormat::IQ4_NL);
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

#[test]
fn skipped_tokens_are_not_penalised() {
    let chosen = |options: &str| {
        let config: SamplingConfig = serde_json::from_str(options).unwrap();
        let mut sampler = Sampler::new(config).unwrap();
        sampler.sample(&[1.0, 0.9], &[0]).unwrap().token
    };
    assert_eq!(chosen(r#"{"repetitionPenalty": 2}"#), 1);
    assert_eq!(
        chosen(r#"{"repetitionPenalty": 2, "repetitionSkip": 1}"#),
        0
    );
}
