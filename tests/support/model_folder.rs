//! Tiny models on disk, in every way that models come.

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde_json::{Map, Value as Json, json};

use crate::support::gguf_file::{GgufFile, Value};
use crate::support::safetensors_file::{Tensor, written};
use crate::support::tiny_model::TinyModel;

/// A folder of that name for a test's files, empty.
pub fn empty(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The model as `count` GGUF files, cut as by `gguf-split`: the metadata is in the first, tensors
/// are in all.
pub fn gguf_split(folder: &Path, model: &TinyModel, count: usize) -> Vec<PathBuf> {
    let whole = model.gguf();
    let tensors = whole.tensors.len();
    let parts = whole.tensors.chunks(tensors.div_ceil(count));
    assert_eq!(parts.len(), count);
    let parts = parts.enumerate().map(|(number, part)| {
        let mut file = GgufFile::new();
        if number == 0 {
            file.pairs.clone_from(&whole.pairs);
        }
        file.tensors = part.to_vec();
        let file = file
            .with("split.no", Value::U16(number as u16))
            .with("split.count", Value::U16(count as u16))
            .with("split.tensors.count", Value::I32(tensors as i32));
        let path = folder.join(format!("tiny-{:05}-of-{count:05}.gguf", number + 1));
        fs::write(&path, file.bytes()).unwrap();
        path
    });
    parts.collect()
}

/// `config.json` and the tokenizer's files, without weights.
pub fn configuration(folder: &Path, model: &TinyModel) {
    write(folder, "config.json", &model.config_json());
    let [tokenizer, config] = tokenizer(&model.gguf());
    write(folder, "tokenizer.json", &tokenizer);
    write(folder, "tokenizer_config.json", &config);
}

/// The model as a folder with all weights in one file.
pub fn single(folder: &Path, model: &TinyModel) {
    configuration(folder, model);
    fs::write(folder.join("model.safetensors"), model.safetensors()).unwrap();
}

/// The model as a folder with its weights in two files and an index.
pub fn sharded(folder: &Path, model: &TinyModel) {
    configuration(folder, model);
    let whole = model.safetensors();
    let whole = SafeTensors::deserialize(&whole).unwrap();
    let tensors: Vec<Tensor> = whole
        .iter()
        .map(|(name, view)| Tensor {
            name: name.to_owned(),
            dtype: view.dtype(),
            shape: view.shape().to_vec(),
            bytes: view.data().to_vec(),
        })
        .collect();
    let (first, second) = tensors.split_at(tensors.len() / 2);
    let mut places = Map::new();
    for (number, tensors) in [(1, first), (2, second)] {
        let name = format!("model-{number:05}-of-00002.safetensors");
        fs::write(folder.join(&name), written(tensors, &[("format", "pt")])).unwrap();
        places.extend(
            tensors
                .iter()
                .map(|tensor| (tensor.name.clone(), json!(name))),
        );
    }
    let index = json!({ "metadata": { "total_size": 1 }, "weight_map": places });
    write(folder, "model.safetensors.index.json", &index);
}

fn write(folder: &Path, name: &str, json: &Json) {
    fs::write(folder.join(name), json.to_string()).unwrap();
}

/// `tokenizer.json` and `tokenizer_config.json` of the tokenizer in a file's metadata, as SmolLM2's
/// are.
fn tokenizer(file: &GgufFile) -> [Json; 2] {
    let value = |key: &str| {
        let mut pairs = file.pairs.iter();
        let (_, value) = pairs.find(|(name, _)| name == key).unwrap();
        value
    };
    let text = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    };
    let items = |key| match value(key) {
        Value::Array(_, items) => items,
        other => panic!("{other:?}"),
    };
    let tokens: Vec<String> = items("tokenizer.ggml.tokens").iter().map(text).collect();
    let merges: Vec<String> = items("tokenizer.ggml.merges").iter().map(text).collect();
    let types = items("tokenizer.ggml.token_type").iter();
    let controls: Vec<usize> = types
        .enumerate()
        .filter(|(_, kind)| **kind == Value::I32(3))
        .map(|(token, _)| token)
        .collect();
    let added = controls.iter().map(|&token| {
        json!({ "id": token, "content": tokens[token], "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true })
    });
    let byte_level = |regex| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": regex });
    let vocabulary = tokens.iter().zip(0..);
    let tokenizer = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added.collect::<Vec<_>>(),
        "normalizer": null,
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
            { "type": "Digits", "individual_digits": true },
            byte_level(true),
        ] },
        "post_processor": null,
        "decoder": byte_level(true),
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": null,
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": false,
            "byte_fallback": false,
            "vocab": vocabulary
                .map(|(token, id): (&String, u32)| (token.clone(), json!(id)))
                .collect::<Map<_, _>>(),
            "merges": merges,
        },
    });
    let config = json!({
        "tokenizer_class": "GPT2Tokenizer",
        "bos_token": tokens[controls[0]],
        "eos_token": tokens[controls[2]],
        "chat_template": text(value("tokenizer.chat_template")),
    });
    [tokenizer, config]
}
