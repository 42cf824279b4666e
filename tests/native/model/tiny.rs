//! Tiny models of every architecture and block format against the plain computation, on the CPU and
//! on the WebGPU device.

use burn::tensor::Device;
use kvscope::cache::CacheType;
use kvscope::formats::BlockFormat;
use kvscope::model::{Llama, LogitRows};

use crate::support::tiny_model::sizes::{
    LLAMA, LLAMA_3, LLAMA_LINEAR, LLAMA_ODD, LLAMA_TIED, QWEN2, QWEN3, Scaling, Sizes,
};
use crate::support::tiny_model::{TinyModel, run};
use crate::support::{devices, difference};

const TOKENS: [u32; 11] = [258, 3, 77, 77, 0, 101, 200, 31, 255, 9, 140];

/// The prompt at once, all but steps, and pieces of one and of more.
const WAYS: [&[usize]; 3] = [&[11], &[1], &[3, 1, 4]];

/// The widest heads that kernels take.
const LLAMA_WIDE: Sizes = Sizes {
    query_heads: 2,
    kv_heads: 1,
    head_dim: 256,
    rotated: 256,
    ..LLAMA
};

/// In units of the logits' root mean square. The library computes in f32, whose roundings are
/// 6·10⁻⁸. Sums of up to 512 products, some twenty in a row, make that some 10⁻⁵. Whatever is left
/// out makes more than 10⁻²: see `every_tensor_tells`.
const CLOSE: f64 = 1e-4;
/// With keys and values in f16, whose roundings are 5·10⁻⁴.
const CLOSE_F16: f64 = 1e-2;

/// The greatest difference of any row's element, in units of the expected ones' root mean square.
fn difference<T: Copy + Into<f64>>(found: &[Vec<T>], expected: &[Vec<f64>]) -> f64 {
    assert_eq!(found.len(), expected.len());
    difference::difference(&found.concat(), &expected.concat())
}

fn agrees(name: &str, model: &Llama, device: &Device, expected: &[Vec<f64>]) {
    for pieces in WAYS {
        let logits = run::logits(model, device, CacheType::F32, &TOKENS, pieces);
        let difference = difference(&logits, expected);
        assert!(difference < CLOSE, "{name}, in {pieces:?}: {difference}");
    }
}

fn gguf_agrees(name: &str, device: &Device, sizes: Sizes, format: BlockFormat) {
    let tiny = TinyModel::new(sizes, format);
    let expected = tiny.plain().logits(&TOKENS);
    let model = run::load_gguf(&tiny.gguf().bytes(), device).unwrap();
    assert_eq!(model.config().tied, sizes.tied);
    agrees(
        &format!("{name}, {}", format.name()),
        &model,
        device,
        &expected,
    );
}

fn in_every_format(device: &Device, sizes: Sizes) {
    for format in BlockFormat::ALL {
        gguf_agrees(sizes.architecture, device, sizes, format);
    }
}

fn every_variant(device: &Device) {
    gguf_agrees("tied", device, LLAMA_TIED, BlockFormat::Q4_1);
    gguf_agrees("rope_freqs", device, LLAMA_3, BlockFormat::Q8_0);
    gguf_agrees("linear scaling", device, LLAMA_LINEAR, BlockFormat::Q8_0);
    gguf_agrees("heads of 256", device, LLAMA_WIDE, BlockFormat::Q8_0);
    for format in [BlockFormat::F32, BlockFormat::F16, BlockFormat::BF16] {
        gguf_agrees("odd sizes", device, LLAMA_ODD, format);
    }
}

fn safetensors_agree(device: &Device) {
    let formats = [BlockFormat::F32, BlockFormat::F16, BlockFormat::BF16];
    let kinds = [LLAMA, LLAMA_TIED, LLAMA_3, LLAMA_LINEAR, QWEN2, QWEN3];
    for (nth, sizes) in kinds.into_iter().enumerate() {
        let format = formats[nth % formats.len()];
        let tiny = TinyModel::new(sizes, format);
        let expected = tiny.plain().logits(&TOKENS);
        let config = tiny.config_json().to_string();
        let file = tiny.safetensors();
        let model = run::load_safetensors(config.as_bytes(), &file, device).unwrap();
        let name = format!("{config}, {}", format.name());
        agrees(&name, &model, device, &expected);
    }
}

fn f16_cache(device: &Device) {
    for sizes in [LLAMA, QWEN2, QWEN3] {
        let tiny = TinyModel::new(sizes, BlockFormat::Q8_0);
        let expected = tiny.plain().logits(&TOKENS);
        let model = run::load_gguf(&tiny.gguf().bytes(), device).unwrap();
        for pieces in WAYS {
            let logits = run::logits(&model, device, CacheType::F16, &TOKENS, pieces);
            let difference = difference(&logits, &expected);
            assert!(difference < CLOSE_F16, "{sizes:?}: {difference}");
        }
    }
}

/// The rows that are asked for, and nothing of an empty piece.
fn rows_asked_for(device: &Device) {
    let tiny = TinyModel::new(LLAMA, BlockFormat::Q4_0);
    let model = run::load_gguf(&tiny.gguf().bytes(), device).unwrap();
    let all = run::logits(&model, device, CacheType::F32, &TOKENS, &[11]);
    let config = model.config().cache().with_cache_type(CacheType::F32);
    let mut cache = config.init(device).unwrap();
    let (first, rest) = TOKENS.split_at(4);
    let none = model.append(first, &mut cache, LogitRows::None).unwrap();
    assert_eq!(none.dims(), [0, LLAMA.vocabulary]);
    for rows in [LogitRows::None, LogitRows::Last, LogitRows::All] {
        let none = model.append(&[], &mut cache, rows).unwrap();
        assert_eq!(none.dims(), [0, LLAMA.vocabulary]);
    }
    assert_eq!(cache.position(), 4);
    let last = model.append(rest, &mut cache, LogitRows::Last).unwrap();
    assert_eq!(last.dims(), [1, LLAMA.vocabulary]);
    let expected: Vec<f64> = all[10].iter().map(|&it| it.into()).collect();
    assert!(difference(&[run::read_back(last)], &[expected]) < CLOSE);
}

macro_rules! on {
    ($($device:ident),*) => {
        $(mod $device {
            use super::*;
            #[test]
            fn llama_in_every_format() {
                in_every_format(&devices::$device(), LLAMA);
            }
            #[test]
            fn qwen2_in_every_format() {
                in_every_format(&devices::$device(), QWEN2);
            }
            #[test]
            fn qwen3_in_every_format() {
                in_every_format(&devices::$device(), QWEN3);
            }
            #[test]
            fn what_files_of_one_architecture_differ_in() {
                every_variant(&devices::$device());
            }
            #[test]
            fn safetensors_of_every_architecture() {
                safetensors_agree(&devices::$device());
            }
            #[test]
            fn with_an_f16_cache() {
                f16_cache(&devices::$device());
            }
            #[test]
            fn only_the_rows_asked_for() {
                rows_asked_for(&devices::$device());
            }
        })*
    };
}

on!(flex, gpu);

/// A comparison shows nothing of a tensor that makes no difference. Halving a third of any, leaving
/// a scaling out, or turning other pairs must exceed the tolerance above a hundredfold.
#[test]
fn every_tensor_tells() {
    for sizes in [
        LLAMA,
        LLAMA_TIED,
        LLAMA_3,
        LLAMA_LINEAR,
        LLAMA_ODD,
        QWEN2,
        QWEN3,
    ] {
        let tiny = TinyModel::new(sizes, BlockFormat::F32);
        let expected = tiny.plain().logits(&TOKENS);
        for index in 0..tiny.tensors.len() {
            let mut other = tiny.clone();
            let tensor = &mut other.tensors[index];
            // Not all of it: a norm would take a common factor out again.
            let third = tensor.elements.iter_mut().step_by(3);
            third.for_each(|it| *it *= 0.5);
            let difference = difference(&other.plain().logits(&TOKENS), &expected);
            let name = &other.tensors[index].name;
            assert!(
                difference > 100.0 * CLOSE,
                "{sizes:?}: {name}: {difference}"
            );
        }
        if !matches!(sizes.scaling, Scaling::None) {
            let mut unscaled = tiny.plain();
            unscaled.turning.frequencies = sizes.plain_frequencies();
            let difference = difference(&unscaled.logits(&TOKENS), &expected);
            assert!(difference > 100.0 * CLOSE, "{sizes:?}: {difference}");
        }
        let mut other = tiny.plain();
        other.turning.neighbours ^= true;
        let difference = difference(&other.logits(&TOKENS), &expected);
        assert!(difference > 100.0 * CLOSE, "{sizes:?}: {difference}");
    }
}
