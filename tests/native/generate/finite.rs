//! Keys and values that are no finite numbers end a generation with an error that names them.
//! Engine and cache go on.

use kvscope::cache::{CacheError, CacheOptions, CacheType, CacheTypes, ScopeCache};
use kvscope::engine::Engine;
use kvscope::formats::BlockFormat;
use kvscope::generate::{GenerateConfig, SamplingConfig};
use pollster::block_on;

use super::{compute_devices, engine};
use crate::support::tiny_model::TinyModel;
use crate::support::tiny_model::sizes::{LLAMA, Sizes};

/// The token whose keys or values are too large, and the one after which the model wants it.
const HUGE: u32 = 90;
const BEFORE: u32 = 89;

/// Elements of a hidden state that only those tokens' embeddings have, and one that all have alike.
const OF_HUGE: usize = 255;
const OF_BEFORE: usize = 254;
const OF_ALL: usize = 253;

const F16: CacheType = CacheType::F16;
const F32: CacheType = CacheType::F32;
const H8: CacheType = CacheType::H8;
const H4: CacheType = CacheType::H4;

/// The weight by which an element of the second KV head follows from [`OF_HUGE`].
#[derive(Debug, Clone, Copy)]
struct Fault {
    layer: usize,
    rows: &'static str,
    weight: f32,
}

/// Too large for f16, and for f32.
const BEYOND_F16: f32 = 1e6;
const BEYOND_F32: f32 = 3e38;

const fn fault(layer: usize, rows: &'static str, weight: f32) -> Fault {
    Fault {
        layer,
        rows,
        weight,
    }
}

/// The element of the head that is too large. RoPE does not turn it.
const ELEMENT: usize = 40;

const SIZES: Sizes = Sizes {
    rotated: 32,
    ..LLAMA
};

/// A model of random weights, but for those of the three elements.
fn faulty(fault: Fault) -> TinyModel {
    let mut tiny = TinyModel::new(SIZES, BlockFormat::F32);
    let part = if fault.rows == "keys" { "k" } else { "v" };
    let faulty = format!("blk.{}.attn_{part}.weight", fault.layer);
    let queries = format!("blk.{}.attn_q.weight", fault.layer);
    for tensor in &mut tiny.tensors {
        let [_, columns] = tensor.shape[..] else {
            continue;
        };
        let name = tensor.name.as_str();
        for (at, element) in tensor.elements.iter_mut().enumerate() {
            let (row, column) = (at / columns, at % columns);
            let is_own = column >= OF_ALL;
            match name {
                "token_embd.weight" if column == OF_HUGE => {
                    *element = if row as u32 == HUGE { 4.0 } else { 0.0 };
                }
                "token_embd.weight" if column == OF_BEFORE => {
                    *element = if row as u32 == BEFORE { 4.0 } else { 0.0 };
                }
                "token_embd.weight" if column == OF_ALL => *element = 1.0,
                "output.weight" if row as u32 == HUGE => {
                    *element = if column == OF_BEFORE { 1000.0 } else { 0.0 };
                }
                "output.weight" if is_own || row as u32 == BEFORE => *element = 0.0,
                // Layers leave the three elements alone.
                _ if name.contains("output") || name.contains("down") => {
                    *element *= f32::from(row < OF_ALL);
                }
                // Queries of the second KV head have one sign there.
                _ if name == queries && row % SIZES.head_dim == ELEMENT => {
                    *element = if column == OF_ALL { -1.0 } else { 0.0 };
                }
                _ if name == faulty && row == SIZES.head_dim + ELEMENT && column == OF_HUGE => {
                    *element = fault.weight;
                }
                _ if is_own && name != "token_embd.weight" => *element = 0.0,
                _ => {}
            }
        }
        let bytes = tensor.elements.iter().flat_map(|it| it.to_le_bytes());
        tensor.bytes = bytes.collect();
    }
    tiny
}

fn cache(engine: &Engine, types: CacheTypes) -> ScopeCache {
    let options = CacheOptions {
        cache_type: Some(types),
        ..CacheOptions::default()
    };
    engine.cache(&options).unwrap()
}

fn greedy(tokens: usize) -> GenerateConfig {
    GenerateConfig {
        ignore_eos: true,
        ..GenerateConfig::default()
            .with_max_new_tokens(tokens)
            .with_sampling(SamplingConfig::default().with_temperature(0.0))
    }
}

fn of(keys: CacheType, values: CacheType) -> CacheTypes {
    CacheTypes { keys, values }
}

/// More tokens, on the same engine and the same cache.
fn assert_goes_on(engine: &Engine, cache: &mut ScopeCache) {
    let before = cache.position();
    let mut generation = engine.generation(vec![5, 6, 7], cache, greedy(40)).unwrap();
    while block_on(generation.next()).unwrap().is_some() {}
    assert!(!generation.tokens().contains(&HUGE));
    drop(generation);
    assert_eq!(cache.position(), before + 3 + 39);
    assert_eq!(block_on(cache.check_finite()), Ok(()));
}

fn expected(fault: Fault, types: CacheTypes, position: Option<usize>) -> CacheError {
    CacheError::NotFinite {
        layer: fault.layer,
        rows: fault.rows,
        position,
        cache_type: if fault.rows == "keys" {
            types.keys
        } else {
            types.values
        },
    }
}

/// At a step, by tensor operations and by fused kernels.
#[test]
fn a_step_names_the_row() {
    for (types, fault) in [
        (of(H8, H8), fault(0, "keys", BEYOND_F32)),
        (of(H8, H8), fault(1, "values", BEYOND_F32)),
        (of(H4, H4), fault(0, "keys", BEYOND_F32)),
        (of(H4, H4), fault(1, "keys", BEYOND_F32)),
        (of(H4, H4), fault(1, "values", BEYOND_F32)),
        (of(H8, H4), fault(0, "values", BEYOND_F32)),
        (of(H4, F16), fault(1, "keys", BEYOND_F32)),
        (of(H4, F16), fault(0, "values", BEYOND_F16)),
        (of(F16, F16), fault(1, "values", BEYOND_F16)),
        (of(F32, F32), fault(0, "values", BEYOND_F32)),
    ] {
        let tiny = faulty(fault);
        for device in compute_devices() {
            let name = format!("{types}, {fault:?}, {}", device.name());
            let engine = engine(&tiny, &device);
            let mut cache = cache(&engine, types);
            let prompt: Vec<u32> = (1..=40).chain([BEFORE]).collect();
            let length = prompt.len();
            let mut generation = engine.generation(prompt, &mut cache, greedy(5)).unwrap();
            let first = block_on(generation.next()).unwrap().unwrap();
            assert_eq!(first.token, HUGE, "{name}");
            let error = block_on(generation.next()).expect_err(&name);
            assert_eq!(error, expected(fault, types, Some(length)).into(), "{name}");
            assert_eq!(error.code(), "cache-not-finite");
            assert_eq!(block_on(generation.next()).unwrap(), None);
            drop(generation);
            assert_eq!(cache.position(), length, "{name}");
            assert_goes_on(&engine, &mut cache);
        }
    }
}

/// In a prompt, which is in f16 until its end. Keys that are framed then have no finite mean.
#[test]
fn a_prompt_names_the_row() {
    for (types, fault, at) in [
        (of(H8, H8), fault(0, "keys", BEYOND_F16), None),
        (of(H4, H4), fault(1, "keys", f32::NAN), None),
        (of(H4, H8), fault(0, "values", BEYOND_F16), Some(7)),
        (of(F16, H8), fault(0, "values", f32::NAN), Some(0)),
        (of(F16, F16), fault(1, "values", BEYOND_F16), Some(7)),
        (of(F32, F32), fault(1, "keys", f32::NAN), Some(0)),
    ] {
        let tiny = faulty(fault);
        for device in compute_devices() {
            let name = format!("{types}, {fault:?}, {}", device.name());
            let engine = engine(&tiny, &device);
            let mut cache = cache(&engine, types);
            let prompt: Vec<u32> = (1..8).chain([HUGE]).chain(8..40).collect();
            let mut generation = engine.generation(prompt, &mut cache, greedy(5)).unwrap();
            let error = block_on(generation.next()).expect_err(&name);
            assert_eq!(error, expected(fault, types, at).into(), "{name}");
            assert_eq!(block_on(generation.next()).unwrap(), None);
            drop(generation);
            assert_eq!(cache.position(), 0, "{name}");
            if !fault.weight.is_nan() {
                assert_goes_on(&engine, &mut cache);
            }
        }
    }
}

/// Every query makes minus infinity of this key. It has no attention then, but an error.
#[test]
fn a_key_that_no_query_attends_to_is_named() {
    let fault = fault(1, "keys", BEYOND_F16);
    let tiny = faulty(fault);
    for device in compute_devices() {
        let engine = engine(&tiny, &device);
        let prompt: Vec<u32> = (1..8).chain([HUGE]).chain(8..40).collect();
        for (types, at) in [
            (of(F16, F16), Some(7)),
            (of(H8, H8), None),
            (of(H4, F16), None),
        ] {
            let mut cache = cache(&engine, types);
            let generation = engine.generation(prompt.clone(), &mut cache, greedy(1));
            let next = block_on(generation.unwrap().next());
            let error = expected(fault, types, at);
            assert_eq!(next.err(), Some(error.into()), "{types}");
        }
    }
}

/// Weights that spoil the logits alone are no fault of the cache.
#[test]
fn logits_may_be_at_fault_themselves() {
    let mut tiny = faulty(fault(0, "keys", 0.0));
    let output = tiny
        .tensors
        .iter_mut()
        .find(|it| it.name == "output.weight");
    let output = output.unwrap();
    output.bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    for device in compute_devices() {
        let engine = engine(&tiny, &device);
        let mut cache = cache(&engine, of(H8, H8));
        let generation = engine.generation(vec![1, 2, 3], &mut cache, greedy(5));
        let error = block_on(generation.unwrap().next()).unwrap_err();
        assert_eq!(error.code(), "logits-invalid");
    }
}
