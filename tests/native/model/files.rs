//! Files whose tensors do not match their configuration, and calls that do not fit a model.

use burn::tensor::Device;
use kvscope::formats::BlockFormat;
use kvscope::model::{Llama, LogitRows, ModelLoader};
use kvscope::{Error, cache::ScopeCacheConfig};

use crate::support::devices;
use crate::support::tiny_model::sizes::{LLAMA_3, LLAMA_ODD, LLAMA_TIED, QWEN2, QWEN3, Sizes};
use crate::support::tiny_model::{TinyModel, run};

fn tiny(sizes: Sizes) -> TinyModel {
    TinyModel::new(sizes, BlockFormat::F32)
}

fn load(tiny: &TinyModel) -> Result<Llama, Error> {
    run::load_gguf(&tiny.gguf().bytes(), &devices::flex())
}

fn refused(result: Result<Llama, Error>, code: &str, says: &[&str]) {
    let error = result.expect_err("a refusal");
    let message = error.to_string();
    assert_eq!(error.code(), code, "{message}");
    for part in says {
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
}

/// Without its output a model is a tied one, without factors an unscaled one. Without a bias it has
/// none. In GGUF nothing says that they should be there.
#[test]
fn every_other_tensor_is_missed() {
    for sizes in [LLAMA_3, LLAMA_ODD, QWEN2, QWEN3] {
        let whole = tiny(sizes);
        for index in 0..whole.tensors.len() {
            let mut part = whole.clone();
            let name = part.tensors.remove(index).name;
            let loaded = load(&part);
            let free = ["output.weight", "rope_freqs.weight"].contains(&&name[..]);
            if free || name.ends_with(".bias") {
                assert_eq!(
                    loaded.unwrap().config().tied,
                    part.tensor("output.weight").is_none()
                );
            } else {
                refused(loaded, "model-malformed", &[&name]);
            }
        }
    }
}

#[test]
fn an_output_that_the_configuration_promises_is_missed() {
    let mut model = tiny(LLAMA_TIED);
    model.sizes.tied = false;
    let config = model.config_json().to_string();
    let loaded = run::load_safetensors(config.as_bytes(), &model.safetensors(), &devices::flex());
    refused(loaded, "model-malformed", &["lm_head.weight"]);
}

/// The last layer first, which no converter writes.
#[test]
fn the_order_of_tensors_is_free() {
    let model = tiny(QWEN3);
    let tokens = [5, 6, 7];
    let logits = |model: &TinyModel| {
        let model = load(model).unwrap();
        let types = kvscope::cache::CacheType::F32;
        run::logits(&model, &devices::flex(), types, &tokens, &[3])
    };
    let mut turned = model.clone();
    turned.tensors.reverse();
    assert_eq!(logits(&turned), logits(&model));
}

#[test]
fn shapes_are_those_of_the_configuration() {
    for sizes in [LLAMA_3, QWEN2, QWEN3] {
        let whole = tiny(sizes);
        for index in 0..whole.tensors.len() {
            let mut file = whole.gguf();
            let tensor = &mut file.tensors[index];
            // As many elements, in another shape.
            tensor.dimensions[0] /= 2;
            tensor.dimensions.push(2);
            let name = tensor.name.clone();
            let loaded = run::load_gguf(&file.bytes(), &devices::flex());
            refused(loaded, "model-malformed", &[&name]);
        }
    }
}

/// Leaving out what a file has would compute something else.
#[test]
fn tensors_that_no_such_model_has() {
    for (sizes, name, length) in [
        (LLAMA_3, "blk.0.attn_q_norm.weight", 64),
        (LLAMA_3, "blk.0.ffn_gate_inp.weight", 256),
        (LLAMA_3, "output.bias", 300),
        (QWEN3, "position_embd.weight", 256),
    ] {
        let file = tiny(sizes).gguf().with_floats(name, &vec![0.0; length]);
        let loaded = run::load_gguf(&file.bytes(), &devices::flex());
        refused(loaded, "model-unsupported", &[name, sizes.architecture]);
    }
}

/// Frequencies follow from the configuration. Layers beyond the model's, and what other programs
/// keep in a file, are nothing to it.
#[test]
fn tensors_that_change_nothing_are_passed_over() {
    for name in [
        "blk.0.attn_rot_embd.weight",
        "blk.2.attn_norm.weight",
        "blk.7.nextn.eh_proj.weight",
        "v.patch_embd.weight",
        "something",
    ] {
        let file = tiny(LLAMA_3).gguf().with_floats(name, &[9.0; 32]);
        assert!(
            run::load_gguf(&file.bytes(), &devices::flex()).is_ok(),
            "{name}"
        );
    }
}

#[test]
fn factors_that_nothing_can_be_divided_by() {
    for factor in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let mut model = tiny(LLAMA_3);
        let factors = model
            .tensors
            .iter_mut()
            .find(|it| it.name == "rope_freqs.weight");
        factors.unwrap().bytes[..4].copy_from_slice(&factor.to_le_bytes());
        refused(load(&model), "model-malformed", &["rope_freqs.weight"]);
    }
}

#[test]
fn a_matrix_beyond_the_binding_limit() {
    let file = tiny(LLAMA_3).gguf().bytes();
    // The embedding of 300 · 256 f32.
    let bytes = 300 * 256 * 4;
    let push = |limit| {
        let loader = ModelLoader::gguf(devices::flex());
        loader.with_binding_bytes(limit).push(&file)
    };
    let error = push(bytes - 1).unwrap_err();
    assert_eq!(error.code(), "limit-too-small");
    assert!(error.to_string().contains("token_embd.weight"), "{error}");
    // The feed-forward's matrices are larger.
    assert_ne!(
        push(bytes).err().map(|it| it.to_string()),
        Some(error.to_string())
    );
    assert!(push(512 * 256 * 4).is_ok());
}

fn call(device: &Device) {
    let model = run::load_gguf(&tiny(LLAMA_ODD).gguf().bytes(), device).unwrap();
    let config = model
        .config()
        .cache()
        .with_cache_type(kvscope::cache::CacheType::F32);
    let mut cache = config.init(device).unwrap();
    let vocabulary = LLAMA_ODD.vocabulary as u32;
    for tokens in [&[vocabulary][..], &[1, u32::MAX, 2]] {
        let error = model
            .append(tokens, &mut cache, LogitRows::All)
            .unwrap_err();
        assert_eq!(error.code(), "invalid-argument");
        assert!(error.to_string().contains("259"), "{error}");
    }
    assert_eq!(cache.position(), 0);
    let last = model.append(&[vocabulary - 1], &mut cache, LogitRows::All);
    // Read, so that the device is idle when the process ends: a software adapter may crash
    // otherwise.
    let logits = run::read_back(last.unwrap());
    assert!(logits.iter().all(|logit| logit.is_finite()));

    let other = ScopeCacheConfig::new(2, 3, 1, 12);
    let mut other = other
        .with_cache_type(kvscope::cache::CacheType::F32)
        .init(device)
        .unwrap();
    let error = model.append(&[1], &mut other, LogitRows::All).unwrap_err();
    assert_eq!(error.code(), "invalid-argument");
    assert_eq!(other.position(), 0);
}

#[test]
fn tokens_and_caches_of_other_models() {
    call(&devices::flex());
    call(&devices::gpu());
}
