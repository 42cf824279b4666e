//! Tiny models in a real browser: right, several at once, and gone without a trace.

use burn::tensor::Tensor;
use kvscope::cache::{CacheType, CacheTypes};
use kvscope::device::Gpu;
use kvscope::formats::BlockFormat;
use kvscope::fused::{FusedDecoder, Pipelines, Tuning};
use kvscope::generate::InputToken;
use kvscope::model::{Llama, LogitRows};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::gpu;
use crate::support::plain_decoder::decodes_as_the_plain_model;
use crate::support::tiny_model::sizes::{LLAMA, QWEN2, QWEN3, Sizes};
use crate::support::tiny_model::{TinyModel, run};

const TOKENS: [u32; 7] = [258, 3, 77, 77, 0, 101, 200];

async fn read<const D: usize>(gpu: &Gpu, tensor: Tensor<D>) -> Vec<f32> {
    gpu.read(tensor).await.unwrap().try_to_vec().unwrap()
}

/// The logits of a prompt's last token and of a step after it.
async fn logits(gpu: &Gpu, model: &Llama) -> [Vec<f32>; 2] {
    let config = model.config().cache().with_cache_type(CacheType::F32);
    let mut cache = config.init(gpu.device()).unwrap();
    let (&last, prompt) = TOKENS.split_last().unwrap();
    let prompt = model.append(prompt, &mut cache, LogitRows::Last).unwrap();
    for layer in 0..model.config().layers {
        cache.finish_prefill(layer).unwrap();
    }
    let step = model.step(last, &mut cache).unwrap();
    [read(gpu, prompt).await, read(gpu, step).await]
}

async fn equals_the_plain_computation(gpu: &Gpu, sizes: Sizes, format: BlockFormat) {
    let tiny = TinyModel::new(sizes, format);
    let expected = tiny.plain().logits(&TOKENS);
    let model = run::load_gguf(&tiny.gguf().bytes(), gpu.device()).unwrap();
    let found = logits(gpu, &model).await;
    for (found, expected) in found.iter().zip(&expected[TOKENS.len() - 2..]) {
        for (found, expected) in found.iter().zip(expected) {
            let off = (f64::from(*found) - expected).abs();
            assert!(off < 1e-3, "{sizes:?}, {format:?}: {found}, not {expected}");
        }
    }
}

#[wasm_bindgen_test]
async fn every_architecture_and_format_is_right() {
    let gpu = gpu::shared().await;
    for format in BlockFormat::ALL {
        equals_the_plain_computation(&gpu, LLAMA, format).await;
    }
    equals_the_plain_computation(&gpu, QWEN2, BlockFormat::Q4_K).await;
    equals_the_plain_computation(&gpu, QWEN3, BlockFormat::Q8_0).await;
}

/// Two models on two devices of one page, turn by turn.
#[wasm_bindgen_test]
async fn two_models_do_not_mix() {
    let gpus = [gpu::own().await, gpu::own().await];
    let tiny = [LLAMA, QWEN3].map(|sizes| TinyModel::new(sizes, BlockFormat::Q4_1));
    let models = [0, 1].map(|i| {
        let file = tiny[i].gguf().bytes();
        run::load_gguf(&file, gpus[i].device()).unwrap()
    });
    let alone = [
        logits(&gpus[0], &models[0]).await,
        logits(&gpus[1], &models[1]).await,
    ];
    for _ in 0..2 {
        for i in 0..2 {
            assert_eq!(logits(&gpus[i], &models[i]).await, alone[i]);
        }
    }
    gpus[0].destroy();
    assert_eq!(logits(&gpus[1], &models[1]).await, alone[1]);
}

/// Loaded, used and freed twenty times on one device: neither the device's memory nor the module's
/// grows.
#[wasm_bindgen_test]
async fn loading_again_and_again_leaves_nothing() {
    let gpu = gpu::own().await;
    let file = TinyModel::new(LLAMA, BlockFormat::Q4_1).gguf().bytes();
    let mut after = Vec::new();
    for _ in 0..20 {
        let model = run::load_gguf(&file, gpu.device()).unwrap();
        logits(&gpu, &model).await;
        drop(model);
        gpu.release_unused().await.unwrap();
        let memory = gpu.memory();
        let pages = core::arch::wasm32::memory_size(0) as u64;
        after.push([memory.bytes_in_use, memory.bytes_reserved, pages]);
    }
    // What the first round leaves, parameters of launches above all, is all there ever is.
    for round in &after[1..] {
        let grown = round.iter().zip(after[0]).any(|(now, first)| *now > first);
        assert!(!grown, "{after:?}");
    }
    assert!(after[19][1] < 64 << 10, "{after:?}");
}

/// The browser's compiler takes subgroups and products of packed integers as the shaders have them.
#[wasm_bindgen_test]
async fn decoding_by_what_not_every_gpu_has_is_right() {
    let gpu = gpu::shared().await;
    let abilities = gpu.shader_abilities();
    // What Chromium's software adapter has, so that nothing is left out unseen.
    assert!(abilities.subgroup > 1 || !gpu.report().software);
    assert!(abilities.integer_products);
    let joined = Tuning::MODERATE.joining(abilities.subgroup);
    let quads = Tuning::SERIAL.in_quads(abilities);
    for (format, ways) in [
        (BlockFormat::Q4_1, vec![joined, joined.in_integers()]),
        (BlockFormat::Q8_0, vec![Tuning::LIGHT.in_integers(), quads]),
    ] {
        let tiny = TinyModel::new(LLAMA, format);
        let expected = tiny.plain().logits(&TOKENS);
        let expected = &expected[TOKENS.len() - 1];
        let model = run::load_gguf(&tiny.gguf().bytes(), gpu.device()).unwrap();
        for way in ways {
            let config = model.config().cache().with_cache_type(CacheType::F32);
            let mut cache = config.init(gpu.device()).unwrap();
            let (&last, prompt) = TOKENS.split_last().unwrap();
            model.append(prompt, &mut cache, LogitRows::None).unwrap();
            for layer in 0..model.config().layers {
                cache.finish_prefill(layer).unwrap();
            }
            let pipelines = Pipelines::default();
            let mut decoder = FusedDecoder::tuned(&model, &pipelines, &gpu, &cache, way)
                .unwrap()
                .unwrap();
            let pending = decoder
                .step_logits(InputToken::Token(last), &mut cache, false)
                .unwrap();
            let logits = pending.unwrap().await.unwrap();
            for (found, expected) in logits.iter().zip(expected) {
                let off = (f64::from(*found) - expected).abs();
                assert!(
                    off < 1e-3,
                    "{format:?}, {}: {found}, not {expected}",
                    way.name()
                );
            }
        }
    }
}

/// Rows of the quantised types, alike and mixed: the browser's compiler takes their shaders.
#[wasm_bindgen_test]
async fn rounded_rows_are_those_of_the_plain_model() {
    let gpu = gpu::shared().await;
    let pipelines = Pipelines::default();
    let quads = Tuning::SERIAL.in_quads(gpu.shader_abilities());
    let (f16, h8, h4) = (CacheType::F16, CacheType::H8, CacheType::H4);
    for (head_dim, keys, values, tuning) in [
        (64, h8, h8, quads),
        (64, h4, h4, Tuning::LIGHT),
        (96, h8, h4, quads),
        (256, h4, h8, Tuning::LIGHT),
        (64, h4, f16, quads),
        (32, f16, h8, Tuning::LIGHT),
    ] {
        let sizes = Sizes {
            head_dim,
            rotated: head_dim,
            ..LLAMA
        };
        let types = CacheTypes { keys, values };
        decodes_as_the_plain_model(&gpu, &pipelines, tuning, sizes, types).await;
    }
}
