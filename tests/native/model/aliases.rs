//! Tensors that are stored under another's name, or under the bare model's, and tensors that are
//! nothing to the model.

use kvscope::cache::CacheType;
use kvscope::formats::BlockFormat;
use kvscope::{Error, model::Llama};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use crate::support::devices;
use crate::support::safetensors_file::{Tensor, written};
use crate::support::tiny_model::sizes::{LLAMA_3, LLAMA_TIED, Sizes};
use crate::support::tiny_model::{TinyModel, run};

const EMBEDDING: &str = "model.embed_tokens.weight";
const HEAD: &str = "lm_head.weight";
const GATES: [&str; 2] = [
    "model.layers.0.mlp.gate_proj.weight",
    "model.layers.1.mlp.gate_proj.weight",
];

fn tiny(sizes: Sizes) -> TinyModel {
    TinyModel::new(sizes, BlockFormat::F32)
}

fn tensors(model: &TinyModel) -> Vec<Tensor> {
    let file = model.safetensors();
    let file = SafeTensors::deserialize(&file).unwrap();
    let tensors = file.iter().map(|(name, view)| Tensor {
        name: name.to_owned(),
        dtype: view.dtype(),
        shape: view.shape().to_vec(),
        bytes: view.data().to_vec(),
    });
    tensors.collect()
}

/// The model's configuration with an embedding that is tied to the output, or not said to be.
fn config(model: &TinyModel, tied: bool) -> Value {
    let mut config = model.config_json();
    config["tie_word_embeddings"] = tied.into();
    config
}

fn load(config: &Value, tensors: &[Tensor], aliases: &[(&str, &str)]) -> Result<Llama, Error> {
    let metadata = [&[("format", "pt")], aliases].concat();
    let file = written(tensors, &metadata);
    run::load_safetensors(config.to_string().as_bytes(), &file, &devices::flex())
}

fn logits(model: &Llama) -> Vec<Vec<f32>> {
    run::logits(model, &devices::flex(), CacheType::F32, &[5, 6, 7], &[3])
}

#[test]
fn one_of_two_tied_tensors_is_enough() {
    let model = tiny(LLAMA_TIED);
    let embedding = tensors(&model);
    let mut head = embedding.clone();
    for tensor in &mut head {
        if tensor.name == EMBEDDING {
            tensor.name = HEAD.to_owned();
        }
    }
    let expected = logits(&load(&config(&model, true), &embedding, &[]).unwrap());
    for (stored, tied, aliases) in [
        (&head, true, &[][..]),
        (&head, true, &[(EMBEDDING, HEAD)]),
        (&head, false, &[(EMBEDDING, HEAD)]),
        (&embedding, false, &[(HEAD, EMBEDDING)]),
        // Not the names of this model's: they say nothing.
        (&embedding, true, &[("a", "b"), ("b", EMBEDDING)]),
    ] {
        let loaded = load(&config(&model, tied), stored, aliases).unwrap();
        assert!(loaded.config().tied);
        assert_eq!(logits(&loaded), expected, "{tied} {aliases:?}");
    }
    for (stored, missing) in [(&head, EMBEDDING), (&embedding, HEAD)] {
        let error = load(&config(&model, false), stored, &[]).unwrap_err();
        assert_eq!(error.code(), "model-malformed");
        assert!(error.to_string().contains(missing), "{error}");
    }
}

/// Layers that share a matrix, whichever of their names it is stored under.
#[test]
fn layers_share_a_tensor() {
    let model = tiny(LLAMA_3);
    let mut whole = tensors(&model);
    let place = |name: &str| whole.iter().position(|it| it.name == name).unwrap();
    let [first, second] = GATES.map(place);
    whole[second].bytes = whole[first].bytes.clone();
    let config = model.config_json();
    let expected = logits(&load(&config, &whole, &[]).unwrap());
    for [kept, alias] in [GATES, [GATES[1], GATES[0]]] {
        let mut part = whole.clone();
        part.retain(|it| it.name != alias);
        let loaded = load(&config, &part, &[(alias, kept)]).unwrap();
        assert_eq!(logits(&loaded), expected, "{alias}");
        let error = load(&config, &part, &[]).unwrap_err();
        assert!(error.to_string().contains(alias), "{error}");
    }
    // The name that is kept need not be one of the model's.
    let mut other = whole.clone();
    other[first].name = "shared.gate".to_owned();
    other.retain(|it| it.name != GATES[1]);
    let aliases = GATES.map(|alias| (alias, "shared.gate"));
    assert_eq!(logits(&load(&config, &other, &aliases).unwrap()), expected);
}

/// transformers loads a file that was saved from the model without its head.
#[test]
fn names_of_the_bare_model() {
    let model = tiny(LLAMA_TIED);
    let named = tensors(&model);
    let bare = named.iter().cloned().map(|tensor| Tensor {
        name: tensor.name.replace("model.", ""),
        ..tensor
    });
    let bare: Vec<Tensor> = bare.collect();
    let config = config(&model, true);
    let expected = logits(&load(&config, &named, &[]).unwrap());
    assert_eq!(logits(&load(&config, &bare, &[]).unwrap()), expected);
    // Of both, one is enough.
    let both = [&named[..], &bare[..1]].concat();
    assert_eq!(logits(&load(&config, &both, &[]).unwrap()), expected);
}

/// Buffers of any type and shape change nothing; a weight of such a type is refused by its name.
#[test]
fn buffers_of_unread_types_are_passed_over() {
    let model = tiny(LLAMA_3);
    let whole = tensors(&model);
    let config = model.config_json();
    let expected = logits(&load(&config, &whole, &[]).unwrap());
    for (name, dtype, shape) in [
        (
            "model.layers.0.self_attn.rotary_emb.inv_freq",
            Dtype::F64,
            &[16][..],
        ),
        ("model.rotary_emb.inv_freq", Dtype::F32, &[16]),
        ("model.embed_tokens.embed_scale", Dtype::F32, &[]),
        ("model.embed_positions.position_ids", Dtype::I64, &[1, 512]),
        ("model.layers.0.self_attn.masked_bias", Dtype::F32, &[]),
        ("model.layers.9.mlp.qweight", Dtype::I32, &[2]),
        ("model.layers.0.self_attn.bias", Dtype::BOOL, &[1, 1, 4, 4]),
        ("five", Dtype::F16, &[1, 1, 1, 1, 2]),
        ("empty", Dtype::F32, &[0, 4]),
        ("bytes", Dtype::U8, &[3]),
    ] {
        let extra = Tensor::new(name, dtype, shape, 1);
        let with = [&whole[..], &[extra]].concat();
        let loaded = load(&config, &with, &[]);
        let loaded = loaded.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(logits(&loaded), expected, "{name}");
    }
    for (name, dtype) in [(GATES[0], Dtype::I32), (EMBEDDING, Dtype::F64)] {
        let mut other = whole.clone();
        let tensor = other.iter_mut().find(|it| it.name == name).unwrap();
        *tensor = Tensor::new(name, dtype, &tensor.shape, 0);
        let error = load(&config, &other, &[]).unwrap_err();
        assert_eq!(error.code(), "model-unsupported", "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

/// As in transformers, which warns of them.
#[test]
fn biases_that_the_configuration_denies_are_passed_over() {
    let model = tiny(LLAMA_3);
    let whole = tensors(&model);
    let config = model.config_json();
    let expected = logits(&load(&config, &whole, &[]).unwrap());
    let width = config["hidden_size"].as_u64().unwrap() as usize;
    for (field, name) in [
        ("attention_bias", "model.layers.0.self_attn.o_proj.bias"),
        ("mlp_bias", "model.layers.1.mlp.down_proj.bias"),
    ] {
        let bias = Tensor {
            bytes: 3.0_f32.to_le_bytes().repeat(width),
            ..Tensor::new(name, Dtype::F32, &[width], 0)
        };
        let with = [&whole[..], &[bias]].concat();
        let mut config = config.clone();
        for said in [Value::Null, false.into()] {
            config[field] = said;
            assert_eq!(
                logits(&load(&config, &with, &[]).unwrap()),
                expected,
                "{name}"
            );
        }
        config[field] = true.into();
        assert_ne!(
            logits(&load(&config, &with, &[]).unwrap()),
            expected,
            "{name}"
        );
    }
}
