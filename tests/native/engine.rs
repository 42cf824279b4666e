//! `Engine::open` from every kind of source, on both devices, and memory after an open that ends
//! early.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use kvscope::Error;
use kvscope::cache::{CacheOptions, CacheType};
use kvscope::device::{ComputeDevice, Gpu, GpuMemory, GpuOptions};
use kvscope::engine::{Engine, OpenOptions, Prompt};
use kvscope::formats::BlockFormat;
use kvscope::fused::KnownTunings;
use kvscope::generate::{GenerateConfig, SamplingConfig};
use kvscope::model::ModelLoader;
use pollster::block_on;

use crate::support::model_folder;
use crate::support::tiny_model::TinyModel;
use crate::support::tiny_model::sizes::LLAMA;

fn tiny(format: BlockFormat) -> TinyModel {
    TinyModel::new(LLAMA, format)
}

fn gguf(folder: &str, tiny: &TinyModel) -> PathBuf {
    let path = model_folder::empty(folder).join("tiny.gguf");
    fs::write(&path, tiny.gguf().bytes()).unwrap();
    path
}

fn open(path: &Path, options: OpenOptions<'_>) -> Result<Engine, Error> {
    block_on(Engine::open(path, options))
}

/// A prompt's tokens, and those that the engine chooses after them.
fn chosen(engine: &Engine) -> (Vec<u32>, Vec<u32>) {
    let prompt = Prompt::Text("banana 12".to_owned());
    let prompt = engine.encode(&prompt).unwrap();
    let options = CacheOptions {
        cache_type: Some(CacheType::F32),
        ..CacheOptions::default()
    };
    let mut cache = engine.cache(&options).unwrap();
    let config = GenerateConfig {
        ignore_eos: true,
        ..GenerateConfig::default()
            .with_max_new_tokens(5)
            .with_sampling(SamplingConfig::default().with_temperature(0.0))
    };
    let generation = engine.generation(prompt.clone(), &mut cache, config);
    let mut generation = generation.unwrap();
    while block_on(generation.next()).unwrap().is_some() {}
    (prompt, generation.tokens().to_vec())
}

/// The engine's choices are those of a plain computation in f64.
fn assert_generates(engine: &Engine, tiny: &TinyModel) {
    let (mut seen, tokens) = chosen(engine);
    assert_eq!(tokens.len(), 5);
    let plain = tiny.plain();
    for token in tokens {
        let logits = plain.logits(&seen).pop().unwrap();
        let most = logits.iter().copied().fold(f64::MIN, f64::max);
        assert_eq!(logits[token as usize], most, "after {seen:?}");
        seen.push(token);
    }
}

#[test]
fn every_way_that_models_come_is_a_way_in() {
    let tiny = tiny(BlockFormat::F32);
    let split = model_folder::gguf_split(&model_folder::empty("open-split"), &tiny, 3);
    let single = model_folder::empty("open-single");
    model_folder::single(&single, &tiny);
    let sharded = model_folder::empty("open-sharded");
    model_folder::sharded(&sharded, &tiny);
    for path in [
        gguf("open-gguf", &tiny),
        split[1].clone(),
        single,
        sharded.join("model-00002-of-00002.safetensors"),
    ] {
        let engine = open(&path, OpenOptions::cpu()).unwrap();
        assert!(engine.device().gpu().is_none());
        assert_generates(&engine, &tiny);
    }
}

/// A tuning found by trial is known afterwards; on an adapter that computes on a CPU nothing is
/// tried.
#[test]
fn the_default_is_a_gpu_that_is_tuned() {
    let tiny = tiny(BlockFormat::Q8_0);
    let path = gguf("open-gpu", &tiny);
    let mut known = KnownTunings::default();
    let engine = open(&path, OpenOptions::default().with_tunings(&mut known)).unwrap();
    let report = engine.device().gpu().unwrap().report().clone();
    assert_eq!(known == KnownTunings::default(), report.software);
    assert_eq!(engine.device().name(), report.name);
    assert_generates(&engine, &tiny);
}

#[test]
fn a_loader_that_has_read_its_file_is_a_way_in() {
    let tiny = tiny(BlockFormat::F32);
    let device = ComputeDevice::Cpu;
    let mut loader = ModelLoader::gguf(device.burn_device());
    loader.begin_file(None);
    for piece in tiny.gguf().bytes().chunks(1000) {
        loader.push(piece).unwrap();
    }
    loader.end_file().unwrap();
    let known = &mut KnownTunings::default();
    let engine = block_on(Engine::from_loader(loader, device.clone(), known)).unwrap();
    assert_generates(&engine, &tiny);

    let unread = ModelLoader::gguf(device.burn_device());
    let refused = block_on(Engine::from_loader(unread, device, known)).err();
    assert_eq!(refused.unwrap().code(), "model-truncated");
}

#[test]
fn progress_is_told_up_to_the_end() {
    let path = gguf("open-progress", &tiny(BlockFormat::F32));
    let mut told = Vec::new();
    let options = OpenOptions::cpu().with_progress(|read, of| {
        told.push((read, of));
        ControlFlow::Continue(())
    });
    assert!(open(&path, options).is_ok());
    let bytes = fs::metadata(&path).unwrap().len();
    assert_eq!(told.last(), Some(&(bytes, bytes)));
}

/// Nothing of a model, which takes two megabytes. burn keeps some pages of its own.
fn assert_left(gpu: &Gpu, before: GpuMemory) {
    let after = gpu.memory();
    assert_eq!(after.bytes_in_use, before.bytes_in_use);
    assert_eq!(after.allocations, before.allocations);
    let reserved = (after.bytes_reserved, before.bytes_reserved);
    assert!(reserved.0 < reserved.1 + (64 << 10), "{reserved:?}");
}

#[test]
fn an_open_that_fails_leaves_nothing_on_its_device() {
    let path = gguf("open-failed", &tiny(BlockFormat::F32));
    let gpu = Gpu::open_blocking(GpuOptions::default()).unwrap();
    block_on(gpu.release_unused()).unwrap();
    let before = gpu.memory();

    let mut pieces = 0;
    let options = OpenOptions::on(gpu.clone()).with_progress(|_, _| {
        pieces += 1;
        match pieces {
            2 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    assert_eq!(open(&path, options).err().unwrap().code(), "cancelled");
    assert_eq!(pieces, 2);
    assert_left(&gpu, before);

    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let truncated = open(&path, OpenOptions::on(gpu.clone())).err().unwrap();
    assert_eq!(truncated.code(), "model-truncated");
    assert_left(&gpu, before);

    // The device is as good as before.
    fs::write(&path, &whole).unwrap();
    let engine = open(&path, OpenOptions::on(gpu.clone())).unwrap();
    assert!(gpu.memory().bytes_in_use > before.bytes_in_use);
    drop(engine);
    block_on(gpu.release_unused()).unwrap();
    assert_left(&gpu, before);
}

/// A file that is not there is known after the GPU was opened, which is then given up.
#[test]
fn a_missing_file_is_named() {
    let path = model_folder::empty("open-missing").join("none.gguf");
    for options in [OpenOptions::cpu(), OpenOptions::default()] {
        let error = open(&path, options).err().unwrap();
        assert_eq!(error.code(), "model-read");
        assert!(error.to_string().contains("none.gguf"), "{error}");
    }
}
