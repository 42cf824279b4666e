//! Every architecture and kind of RoPE against what transformers computed in f32 with the same
//! weights: `tests/reference`.

use burn::tensor::Device;
use kvscope::cache::{Budget, CacheType, DecodeStrategy, ScopeCache};
use kvscope::fused::{FusedDecoder, Pipelines};
use kvscope::generate::InputToken;
use kvscope::model::{Llama, LogitRows};

use crate::support::devices;
use crate::support::difference::difference;
use crate::support::reference_model::ReferenceModel;
use crate::support::tiny_model::run;

/// Greatest difference of a logit; logits are about 1 to 4.
const CLOSE: f32 = 1e-3;

/// Each model's name, its weights', and whether GGUF can say it.
const MODELS: [(&str, &str, bool); 21] = [
    ("gemma3", "gemma3", true),
    ("gemma3_linear", "gemma3", true),
    ("gemma3_scalar", "gemma3", false),
    ("smollm3", "smollm3", true),
    ("phi3", "phi3", true),
    ("phi3_longrope", "phi3", true),
    ("granite", "granite", true),
    ("granite4", "granite4", true),
    ("granite4_nope", "granite4", true),
    ("olmo2", "olmo2", true),
    ("mistral", "mistral", true),
    ("ministral3", "mistral", true),
    ("llama_biases", "llama", true),
    ("llama_linear", "llama", true),
    ("llama_llama3", "llama", true),
    ("llama_yarn", "llama", true),
    ("llama_yarn_exact", "llama", false),
    ("llama_dynamic", "llama", false),
    ("llama_dynamic_beyond", "llama", false),
    ("qwen3_biases", "qwen3", true),
    ("qwen2", "qwen2", true),
];

/// The prompt at once, in pieces, and in pieces followed by steps.
fn ways(positions: usize) -> [Vec<usize>; 3] {
    let half = positions / 2;
    [
        vec![positions],
        vec![3, half, positions - half - 3],
        vec![half],
    ]
}

/// Compares the logits at every position up to the model's context. A base that grows goes on
/// beyond it.
fn agrees(name: &str, model: &Llama, device: &Device, reference: &ReferenceModel) {
    let positions = positions(model, reference);
    let tokens = &reference.tokens[..positions];
    for pieces in ways(positions) {
        let logits = run::logits(model, device, CacheType::F32, tokens, &pieces);
        for (position, (found, expected)) in logits.iter().zip(&reference.logits).enumerate() {
            let most = most_off(found, expected);
            assert!(
                most < CLOSE,
                "{name}, in {pieces:?}, position {position}: off by {most}"
            );
        }
    }
}

/// Positions that are compared.
fn positions(model: &Llama, reference: &ReferenceModel) -> usize {
    if reference.name.ends_with("_beyond") {
        reference.tokens.len()
    } else {
        reference.tokens.len().min(model.config().context)
    }
}

fn most_off(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().zip(expected);
    pairs.fold(0.0_f32, |most, (found, expected)| {
        let off = (found - expected).abs();
        assert!(off.is_finite());
        most.max(off)
    })
}

fn safetensors_agree(device: &Device) {
    for (name, weights, _) in MODELS {
        let reference = ReferenceModel::load(name, weights);
        let model = reference.in_safetensors(device);
        let model = model.unwrap_or_else(|error| panic!("{name}: {error}"));
        agrees(&format!("{name}, safetensors"), &model, device, &reference);
    }
}

fn gguf_agrees(device: &Device) {
    for (name, weights, in_gguf) in MODELS {
        if !in_gguf {
            continue;
        }
        let reference = ReferenceModel::load(name, weights);
        let model = reference.in_gguf(device);
        let model = model.unwrap_or_else(|error| panic!("{name}: {error}"));
        agrees(&format!("{name}, GGUF"), &model, device, &reference);
    }
}

/// Steps by the fused kernels after half of the positions, against what was recorded.
#[test]
fn fused_steps() {
    let gpu = devices::opened();
    let device = gpu.device();
    for (name, weights, _) in MODELS {
        let reference = ReferenceModel::load(name, weights);
        let model = reference.in_safetensors(device).unwrap();
        let (mut cache, first) = prefilled(&model, &reference, CacheType::F32, device);
        let decoder = FusedDecoder::new(&model, &Pipelines::default(), gpu, &cache).unwrap();
        let mut decoder = decoder.unwrap_or_else(|| panic!("{name}: no kernels"));
        for position in first..positions(&model, &reference) {
            let found = fused_step(&mut decoder, reference.tokens[position], &mut cache);
            let most = most_off(&found, &reference.logits[position]);
            assert!(most < CLOSE, "{name}, position {position}: off by {most}");
        }
    }
}

/// Fused steps that score and evict, over rows of each storage type, against tensor operations.
#[test]
fn fused_steps_that_evict() {
    let gpu = devices::opened();
    let device = gpu.device();
    for (name, weights, cache_type) in [
        ("gemma3_linear", "gemma3", CacheType::H8),
        ("granite4_nope", "granite4", CacheType::F16),
        ("ministral3", "mistral", CacheType::H8),
        ("olmo2", "olmo2", CacheType::F16),
        ("llama_biases", "llama", CacheType::F16),
    ] {
        let reference = ReferenceModel::load(name, weights);
        let model = reference.in_safetensors(device).unwrap();
        let (mut fused, first) = prefilled(&model, &reference, cache_type, device);
        let (mut plain, _) = prefilled(&model, &reference, cache_type, device);
        let decoder = FusedDecoder::new(&model, &Pipelines::default(), gpu, &fused).unwrap();
        let mut decoder = decoder.unwrap_or_else(|| panic!("{name}: no kernels"));
        for &token in &reference.tokens[first..] {
            let found = fused_step(&mut decoder, token, &mut fused);
            let expected = run::read_back(model.step(token, &mut plain).unwrap());
            let off = difference(&found, &expected);
            assert!(off < 2e-3, "{name}, {cache_type:?}: off by {off}");
            assert_eq!(fused.memory(), plain.memory(), "{name}");
        }
    }
}

/// A cache that has taken in half of the positions, and the number of these.
fn prefilled(
    model: &Llama,
    reference: &ReferenceModel,
    cache_type: CacheType,
    device: &Device,
) -> (ScopeCache, usize) {
    let config = model.config().cache().with_cache_type(cache_type);
    let config = config
        .with_decode(if cache_type == CacheType::F32 {
            DecodeStrategy::Full
        } else {
            DecodeStrategy::H2o
        })
        .with_decode_budget(Budget::Slots(10))
        .with_recent(4);
    let mut cache = config.init(device).unwrap();
    let half = positions(model, reference) / 2;
    let prompt = &reference.tokens[..half];
    model.append(prompt, &mut cache, LogitRows::None).unwrap();
    for layer in 0..model.config().layers {
        cache.finish_prefill(layer).unwrap();
    }
    (cache, half)
}

fn fused_step(decoder: &mut FusedDecoder, token: u32, cache: &mut ScopeCache) -> Vec<f32> {
    let pending = decoder.step_logits(InputToken::Token(token), cache, false);
    pollster::block_on(pending.unwrap().expect("a step in place")).unwrap()
}

macro_rules! on {
    ($($device:ident),*) => {
        $(mod $device {
            use super::*;
            #[test]
            fn safetensors() {
                safetensors_agree(&devices::$device());
            }
            #[test]
            fn gguf() {
                gguf_agrees(&devices::$device());
            }
        })*
    };
}

on!(flex, gpu);
