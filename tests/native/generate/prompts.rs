//! Prompts of every length that is special to chunks, and generations beyond the model's context,
//! on a tiny model.

use burn::tensor::Device;
use kvscope::Error;
use kvscope::cache::{Budget, CacheType, DecodeStrategy, PrefillMethod, ScopeCacheConfig};
use kvscope::formats::BlockFormat;
use kvscope::generate::{
    FinishReason, GenerateConfig, Generation, SamplingConfig, Spelling, Step, Summary,
};
use kvscope::model::Llama;

use crate::support::devices;
use crate::support::tiny_model::sizes::{LLAMA, Sizes};
use crate::support::tiny_model::{TinyModel, run};

const CHUNK: usize = 64;

/// Tokens as their numbers.
struct Numbers;

impl Spelling for Numbers {
    fn push(&mut self, token: u32) -> String {
        format!("{token} ")
    }

    fn finish(&mut self) -> String {
        String::new()
    }
}

fn tokens(count: usize) -> Vec<u32> {
    let vocabulary = LLAMA.vocabulary;
    (0..count).map(|i| (i * 7919 % vocabulary) as u32).collect()
}

fn greedy(new: usize, chunk: usize) -> GenerateConfig {
    GenerateConfig::default()
        .with_max_new_tokens(new)
        .with_prefill_chunk(chunk)
        .with_sampling(SamplingConfig::default().with_temperature(0.0))
}

fn generate(
    model: &Llama,
    cache: &ScopeCacheConfig,
    device: &Device,
    prompt: &[u32],
    config: GenerateConfig,
) -> Result<(Vec<Step>, Summary), Error> {
    let mut cache = cache.init(device).unwrap();
    let prompt = prompt.to_vec();
    let device = devices::compute(device);
    let mut generation = Generation::new(model, &device, Numbers, &[], &mut cache, prompt, config)?;
    let mut steps = Vec::new();
    while let Some(step) = pollster::block_on(generation.next())? {
        steps.push(step);
    }
    Ok((steps, generation.summary()))
}

fn load(sizes: Sizes, device: &Device) -> (TinyModel, Llama) {
    let tiny = TinyModel::new(sizes, BlockFormat::Q8_0);
    let model = run::load_gguf(&tiny.gguf().bytes(), device).unwrap();
    (tiny, model)
}

/// The plain model's likeliest token after `tokens`, and its probability.
fn likeliest(tiny: &TinyModel, tokens: &[u32]) -> (u32, f64) {
    let logits = tiny.plain().logits(tokens).pop().unwrap();
    let most = logits.iter().copied().fold(f64::MIN, f64::max);
    let sum: f64 = logits.iter().map(|logit| (logit - most).exp()).sum();
    let best = logits.iter().position(|logit| *logit == most).unwrap();
    (best as u32, 1.0 / sum)
}

fn lengths_around_a_chunk(device: &Device) {
    let (tiny, model) = load(LLAMA, device);
    let cache = model.config().cache().with_cache_type(CacheType::F32);
    for length in [1, 2, CHUNK - 1, CHUNK, CHUNK + 1] {
        let mut seen = tokens(length);
        let (steps, summary) = generate(&model, &cache, device, &seen, greedy(3, CHUNK)).unwrap();
        assert_eq!(summary.prompt_tokens, length);
        assert_eq!(steps.len(), 3);
        for step in steps {
            let (token, probability) = likeliest(&tiny, &seen);
            assert_eq!(step.token, token, "after {} tokens", seen.len());
            assert!((f64::from(step.probability) - probability).abs() < 1e-4);
            assert_eq!(step.position, seen.len());
            seen.push(token);
        }
    }
}

fn a_long_prompt(device: &Device) {
    let sizes = Sizes {
        context: 4096,
        ..LLAMA
    };
    let (_, model) = load(sizes, device);
    let cache = model
        .config()
        .cache()
        .with_prefill(PrefillMethod::SnapKv)
        .with_prefill_budget(Budget::Slots(512))
        .with_decode(DecodeStrategy::Slide)
        .with_decode_budget(Budget::Slots(32))
        .with_recent(8);
    let prompt = tokens(3000);
    let run = |chunk| generate(&model, &cache, device, &prompt, greedy(4, chunk)).unwrap();
    let (in_chunks, summary) = run(256);
    let (at_once, _) = run(3000);
    for (chunks, once) in in_chunks.iter().zip(&at_once) {
        assert_eq!(chunks.token, once.token);
        assert!((chunks.probability - once.probability).abs() < 1e-4);
        assert_eq!(chunks.memory.held_bytes, once.memory.held_bytes);
    }
    assert_eq!(in_chunks.len(), 4);
    assert_eq!(summary.slots.prefill, 512);
    assert!(summary.memory.held_bytes < summary.memory.full_bytes / 4);
}

fn longer_than_the_context(device: &Device) {
    let (_, model) = load(LLAMA, device);
    let cache = model.config().cache();
    let prompt = tokens(LLAMA.context + 1);
    let refused = generate(&model, &cache, device, &prompt, greedy(1, CHUNK)).unwrap_err();
    assert_eq!(refused.code(), "prompt-too-long");
    let message = refused.to_string();
    assert!(
        message.contains("129") && message.contains("128"),
        "{message}"
    );
    // The longest that fits, fits.
    let prompt = &prompt[1..];
    assert!(generate(&model, &cache, device, prompt, greedy(1, CHUNK)).is_ok());
}

fn on_beyond_the_context(device: &Device) {
    let (_, model) = load(LLAMA, device);
    let cache = model
        .config()
        .cache()
        .with_prefill(PrefillMethod::H2o)
        .with_prefill_budget(Budget::Slots(40))
        .with_decode(DecodeStrategy::Slide)
        .with_decode_budget(Budget::Slots(24))
        .with_recent(8);
    let prompt = tokens(100);
    let config = greedy(60, CHUNK);
    let (steps, summary) = generate(&model, &cache, device, &prompt, config).unwrap();
    assert_eq!(summary.finish, Some(FinishReason::Length));
    assert_eq!(steps.len(), 60);
    for step in &steps {
        assert_eq!(step.past_context, step.position >= LLAMA.context);
        assert!(step.slots.prefill == 40 && step.slots.decode <= 24);
    }
    assert!(summary.past_context);
}

/// The same seed gives the same tokens; another one, others.
fn seeds(device: &Device) {
    let (_, model) = load(LLAMA, device);
    let cache = model.config().cache();
    let run = |seed| {
        let sampling = SamplingConfig::default()
            .with_temperature(1.5)
            .with_seed(seed);
        let config = greedy(30, CHUNK).with_sampling(sampling);
        let (steps, _) = generate(&model, &cache, device, &tokens(10), config).unwrap();
        steps.iter().map(|step| step.token).collect::<Vec<u32>>()
    };
    let first = run(7);
    assert_eq!(first, run(7));
    assert_ne!(first, run(8));
}

macro_rules! on {
    ($($device:ident),*) => {
        $(mod $device {
            use super::devices;

            #[test]
            fn lengths_around_a_chunk() {
                super::lengths_around_a_chunk(&devices::$device());
            }

            #[test]
            fn a_long_prompt() {
                super::a_long_prompt(&devices::$device());
            }

            #[test]
            fn longer_than_the_context() {
                super::longer_than_the_context(&devices::$device());
            }

            #[test]
            fn on_beyond_the_context() {
                super::on_beyond_the_context(&devices::$device());
            }

            #[test]
            fn seeds() {
                super::seeds(&devices::$device());
            }
        })*
    };
}

on!(flex, gpu);
