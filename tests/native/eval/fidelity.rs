//! Policies compared with the full cache all at once, against one by one.

use std::ops::ControlFlow;

use burn::tensor::Device;
use kvscope::cache::{
    Budget, CacheType, DecodeStrategy, PrefillMethod, RetainedHead, ScopeCache, ScopeCacheConfig,
};
use kvscope::device::ComputeDevice;
use kvscope::eval::{Example, Fidelity, Outcome};
use kvscope::formats::BlockFormat;
use kvscope::model::{Llama, LogitRows};
use pollster::block_on;

use crate::support::devices;
use crate::support::tiny_model::sizes::{LLAMA, QWEN3};
use crate::support::tiny_model::{TinyModel, run};

const PROMPT: usize = 24;
const ANSWER: usize = 14;

fn model(device: &Device) -> Llama {
    let tiny = TinyModel::new(LLAMA, BlockFormat::Q8_0);
    run::load_gguf(&tiny.gguf().bytes(), device).unwrap()
}

fn tokens(first: usize, count: usize) -> Vec<u32> {
    let tokens = first..first + count;
    tokens.map(|i| (i * 7919 % 300) as u32).collect()
}

fn example() -> Example {
    Example {
        prompt: tokens(0, PROMPT),
        answer: tokens(PROMPT, ANSWER),
    }
}

fn policy(model: &Llama, prefill: PrefillMethod, decode: DecodeStrategy) -> ScopeCacheConfig {
    let config = model.config().cache().with_cache_type(CacheType::F32);
    config
        .with_prefill(prefill)
        .with_prefill_budget(Budget::OfPrompt(0.5))
        .with_observation_window(4)
        .with_decode(decode)
        .with_decode_budget(Budget::Slots(6))
        .with_recent(3)
        .with_max_new_tokens(ANSWER)
        .with_block(4)
}

/// Every method with every strategy.
fn policies(model: &Llama) -> Vec<ScopeCacheConfig> {
    let prefills = PrefillMethod::ALL.iter();
    let pairs =
        prefills.flat_map(|prefill| DecodeStrategy::ALL.iter().map(move |it| (prefill, it)));
    pairs.map(|(a, b)| policy(model, *a, *b)).collect()
}

/// A cache of its own with the prompt in it, in two pieces.
fn alone(model: &Llama, config: &ScopeCacheConfig, device: &Device) -> ScopeCache {
    let mut cache = config.init(device).unwrap();
    cache.reserve(PROMPT);
    let prompt = example().prompt;
    let (first, rest) = prompt.split_at(10);
    for piece in [first, rest] {
        model.append(piece, &mut cache, LogitRows::None).unwrap();
    }
    finish(&mut cache);
    cache
}

fn finish(cache: &mut ScopeCache) {
    for layer in 0..cache.config().layers {
        cache.finish_prefill(layer).unwrap();
    }
}

fn close(found: &[f32], expected: &[f32]) -> bool {
    let mut pairs = found.iter().zip(expected);
    found.len() == expected.len() && pairs.all(|(a, b)| (a - b).abs() <= 1e-5 * b.abs().max(1.0))
}

fn held(cache: &ScopeCache) -> Vec<RetainedHead> {
    let layers = 0..cache.config().layers;
    let heads = layers.flat_map(|layer| block_on(cache.retained(layer)).unwrap());
    heads.collect()
}

/// With every `nth` policy and so many tokens.
fn one_step_for_all_is_a_step_for_each(device: &Device, nth: usize, count: usize) {
    let model = model(device);
    let configs = policies(&model);
    let configs = configs.iter().step_by(nth);
    let mut caches: Vec<_> = configs.map(|it| alone(&model, it, device)).collect();
    let mut others = caches.clone();
    for &token in &example().answer[..count] {
        let rows = run::read_back(model.step_each(token, &mut caches).unwrap());
        for (row, cache) in rows.chunks_exact(300).zip(&mut others) {
            let expected = run::read_back(model.step(token, cache).unwrap());
            assert!(close(row, &expected), "{}", cache.config().decode);
        }
    }
    for (cache, other) in caches.iter().zip(&others) {
        assert_eq!(cache.memory(), other.memory());
        let positions = |cache| held(cache).into_iter().map(|head| head.positions);
        assert!(positions(cache).eq(positions(other)));
    }
}

#[test]
fn one_step_for_all_is_a_step_for_each_on_the_cpu() {
    one_step_for_all_is_a_step_for_each(&devices::flex(), 5, ANSWER);
}

#[test]
fn one_step_for_all_is_a_step_for_each_on_the_gpu() {
    one_step_for_all_is_a_step_for_each(&devices::gpu(), 17, 3);
}

#[test]
fn caches_apart_can_not_step_together() {
    let device = devices::flex();
    let model = model(&device);
    let config = policy(&model, PrefillMethod::Full, DecodeStrategy::Full);
    let mut caches = vec![alone(&model, &config, &device); 2];
    model.step(1, &mut caches[1]).unwrap();
    let error = model.step_each(1, &mut caches).unwrap_err();
    assert_eq!(error.code(), "invalid-argument");
    let error = model.step_each(300, &mut caches[..1]).unwrap_err();
    assert_eq!(error.code(), "invalid-argument");
    let none = model.step_each(1, &mut []).unwrap();
    assert_eq!(none.dims(), [0, 300]);
}

/// A fork of an open prompt, and a fork of that, have their own run's positions, scores and bytes.
fn forks_are_caches_of_their_own(device: &Device) {
    let model = model(device);
    let example = example();
    let full = policy(&model, PrefillMethod::Full, DecodeStrategy::Full);
    let mut prompt = full.init(device).unwrap();
    prompt.prepare_forks();
    prompt.reserve(PROMPT);
    let rows = LogitRows::None;
    model.append(&example.prompt, &mut prompt, rows).unwrap();
    for config in policies(&model).into_iter().step_by(3) {
        let name = format!("{} {}", config.prefill, config.decode);
        let mut expected = alone(&model, &config, device);
        let mut fork = prompt.fork(config.clone()).unwrap();
        finish(&mut fork);
        let other = config.clone().with_decode(DecodeStrategy::Slide);
        let mut other = prompt
            .fork(other.with_recent(1).with_max_new_tokens(99))
            .unwrap();
        finish(&mut other);
        let mut second = other.fork(config).unwrap();
        for cache in [&fork, &second] {
            let bytes = |cache: &ScopeCache| (cache.memory().held_bytes, cache.memory().full_bytes);
            assert_eq!(bytes(cache), bytes(&expected), "{name}");
            assert_eq!(cache.allocations(), expected.allocations(), "{name}");
            for (found, expected) in held(cache).iter().zip(held(&expected)) {
                assert_eq!(found.positions, expected.positions, "{name}");
                assert!(close(&found.scores, &expected.scores), "{name}");
            }
        }
        for token in &example.answer {
            let expected = run::read_back(model.step(*token, &mut expected).unwrap());
            for cache in [&mut fork, &mut second] {
                let found = run::read_back(model.step(*token, cache).unwrap());
                assert!(close(&found, &expected), "{name}");
            }
        }
    }
}

#[test]
fn forks_are_caches_of_their_own_on_the_cpu() {
    forks_are_caches_of_their_own(&devices::flex());
}

#[test]
fn forks_that_can_not_be_are_refused() {
    let device = devices::flex();
    let model = model(&device);
    let config = policy(&model, PrefillMethod::Full, DecodeStrategy::Slide);
    let refused = |cache: &ScopeCache, config: &ScopeCacheConfig, field: &str| {
        let message = cache.fork(config.clone()).unwrap_err().to_string();
        assert!(message.contains(field), "{message}");
    };
    let h2o = config.clone().with_prefill(PrefillMethod::H2o);
    let snapkv = config.clone().with_prefill(PrefillMethod::SnapKv);
    refused(&config.init(&device).unwrap(), &config, "no prompt");

    let mut open = config.init(&device).unwrap();
    model
        .append(&tokens(0, 9), &mut open, LogitRows::None)
        .unwrap();
    refused(&open, &h2o, "prefill is h2o");
    refused(
        &open,
        &config.clone().with_cache_type(CacheType::F16),
        "cache_type",
    );
    refused(&open, &config.clone().with_block(0), "block is 0");
    assert!(open.fork(config.clone().with_recent(1)).is_ok());

    let mut seen = config.init(&device).unwrap();
    seen.prepare_forks();
    model
        .append(&tokens(0, 9), &mut seen, LogitRows::None)
        .unwrap();
    assert!(seen.fork(h2o.clone()).is_ok());
    refused(
        &seen,
        &snapkv.with_observation_window(3),
        "observation_window is 3",
    );
    finish(&mut seen);
    refused(&seen, &h2o, "prefill is h2o");
    let full = config.clone().with_decode(DecodeStrategy::Full);
    assert!(seen.fork(full.clone()).is_ok());
    model.step(1, &mut seen).unwrap();
    refused(&seen, &full, "decode is full");
}

fn outcomes(fidelity: &Fidelity<'_>, policies: &[ScopeCacheConfig]) -> Vec<Outcome> {
    let go_on = |_| ControlFlow::Continue(());
    let example = example();
    let outcomes = fidelity.run(&example, policies, go_on);
    block_on(outcomes).unwrap().expect("it was not cancelled")
}

/// Softmax in f64, logarithms of it.
fn log_shares(logits: &[f32]) -> Vec<f64> {
    let sum: f64 = logits.iter().map(|it| f64::from(*it).exp()).sum();
    logits.iter().map(|it| f64::from(*it) - sum.ln()).collect()
}

#[test]
fn an_outcome_is_what_single_caches_say() {
    let device = devices::flex();
    let model = model(&device);
    let full = policy(&model, PrefillMethod::Full, DecodeStrategy::Full);
    let config = policy(&model, PrefillMethod::SnapKv, DecodeStrategy::Slide);
    let of = |config| {
        let mut cache = alone(&model, config, &device);
        let answer = example().answer;
        let steps = answer[..ANSWER - 1].iter();
        let rows = steps.map(|token| run::read_back(model.step(*token, &mut cache).unwrap()));
        rows.map(|row| log_shares(&row)).collect::<Vec<_>>()
    };
    let (p, q) = (of(&full), of(&config));
    let (count, answer) = ((ANSWER - 1) as f64, example().answer);
    let kl = |(p, q): (&Vec<f64>, &Vec<f64>)| -> f64 {
        let pairs = p.iter().zip(q);
        pairs.map(|(p, q)| p.exp() * (p - q)).sum()
    };
    let expected = p.iter().zip(&q).map(kl).sum::<f64>() / count;
    let gold = q.iter().zip(&answer[1..]);
    let loss = gold.map(|(q, gold)| -q[*gold as usize]).sum::<f64>() / count;

    let fidelity = Fidelity::new(&model, &ComputeDevice::Cpu);
    let both = outcomes(&fidelity, &[full, config]);
    assert_eq!((both[0].kl, both[0].agreement), (0.0, 1.0));
    // Of f32 against f16.
    assert!(both[0].most_bytes > both[0].full_bytes);
    assert_eq!(both[1].positions, ANSWER - 1);
    assert!(expected > 1e-4, "the policies differ: {expected}");
    let found = &both[1];
    assert!(
        (found.kl - expected).abs() < 1e-4 * expected.max(1e-2),
        "{found:?}, {expected}"
    );
    assert!((found.loss - loss).abs() < 1e-4, "{found:?}, {loss}");
    assert!(found.most_bytes < found.full_bytes);
}

#[test]
fn threads_change_nothing() {
    let device = devices::flex();
    let tiny = TinyModel::new(QWEN3, BlockFormat::F32);
    let model = run::load_gguf(&tiny.gguf().bytes(), &device).unwrap();
    let policies: Vec<_> = policies(&model).into_iter().step_by(7).collect();
    let one = outcomes(&Fidelity::new(&model, &ComputeDevice::Cpu), &policies);
    let three = outcomes(
        &Fidelity::new(&model, &ComputeDevice::Cpu).with_workers(3),
        &policies,
    );
    for (a, b) in one.iter().zip(&three) {
        assert!(
            (a.kl - b.kl).abs() < 1e-5 && (a.loss - b.loss).abs() < 1e-5,
            "{a:?} {b:?}"
        );
        assert_eq!(a.most_bytes, b.most_bytes);
    }
}

#[test]
fn a_run_can_be_ended_anywhere() {
    let device = devices::flex();
    let model = model(&device);
    let full = [policy(&model, PrefillMethod::Full, DecodeStrategy::Full)];
    for most in [PROMPT, PROMPT + 3] {
        let mut told = Vec::new();
        let fidelity = Fidelity::new(&model, &ComputeDevice::Cpu);
        let ended = block_on(fidelity.run(&example(), &full, |done| {
            told.push(done);
            if done >= most {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        }));
        assert_eq!(ended.unwrap(), None);
        assert_eq!(told.last(), Some(&most));
    }
}

/// `--device gpu` steps by the fused kernels. What they measure is what the tensors do.
#[test]
fn fused_kernels_measure_what_tensors_do() {
    let gpu: ComputeDevice = devices::opened().clone().into();
    let types = [CacheType::F16, CacheType::H8, CacheType::H4];
    let found: Vec<Vec<Outcome>> = [ComputeDevice::Cpu, gpu]
        .iter()
        .map(|device| {
            let model = model(&device.burn_device());
            let full = policy(&model, PrefillMethod::Full, DecodeStrategy::Full);
            let slide = policy(&model, PrefillMethod::H2o, DecodeStrategy::Slide);
            let of_type = |config: &ScopeCacheConfig, it| config.clone().with_cache_type(it);
            let mut policies = vec![of_type(&full, CacheType::F16)];
            policies.extend(types.map(|it| of_type(&slide, it)));
            policies.push(of_type(&full, CacheType::H4));
            outcomes(&Fidelity::new(&model, device), &policies)
        })
        .collect();
    for (tensors, fused) in found[0].iter().zip(&found[1]) {
        let (a, b) = (tensors.kl, fused.kl);
        // Rows at the edge of two codes fall to either side.
        assert!(
            (a - b).abs() <= 0.03 * a.max(1e-3),
            "{tensors:?}\n{fused:?}"
        );
        assert!(
            (tensors.loss - fused.loss).abs() < 2e-3,
            "{tensors:?}\n{fused:?}"
        );
        assert_eq!(tensors.most_bytes, fused.most_bytes);
    }
    let kl = |policy: usize| found[1][policy].kl;
    assert!(
        kl(1) > 1e-3 && kl(4) > 1e-5,
        "the policies differ: {:?}",
        found[1]
    );
}
