//! The command with tiny models on disk, in every form of files.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Output};

use burn::tensor::Device;
use kvscope::formats::BlockFormat;
use kvscope::model::load_model;
use serde_json::Value;

use crate::support::gguf_file;
use crate::support::model_folder;
use crate::support::tiny_model::TinyModel;
use crate::support::tiny_model::sizes::{LLAMA, LLAMA_3, QWEN2, QWEN3, Sizes};

const NEW_TOKENS: usize = 8;

fn kvscope(model: &Path, device: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kvscope"))
        .args(["generate", "--json", "--ignore-eos", "--cache-type", "f32"])
        .args([
            "--device",
            device,
            "--max-new-tokens",
            &NEW_TOKENS.to_string(),
        ])
        .args(["--prompt", "banana 12", "--model"])
        .arg(model)
        .output()
        .expect("the command starts")
}

fn tokens(model: &Path, device: &str) -> Vec<u32> {
    let output = kvscope(model, device);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", model.display());
    let lines = std::str::from_utf8(&output.stdout).unwrap().lines();
    let lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let steps = lines.filter(|line| line["type"] == "step");
    steps
        .map(|step| step["token"].as_u64().unwrap() as u32)
        .collect()
}

/// The code and the message with which a model is refused.
fn refused(model: &Path) -> (String, String) {
    let output = kvscope(model, "cpu");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    let text = |key: &str| error["error"][key].as_str().unwrap().to_owned();
    (text("code"), text("message"))
}

fn tiny(sizes: Sizes) -> TinyModel {
    TinyModel::new(sizes, BlockFormat::F32)
}

/// The plain computation's choices after the prompt, whose bytes are its tokens but where two
/// letters are merged.
fn expected(model: &TinyModel) -> Vec<u32> {
    let text = "<|im_start|>user\nbanana 12<|im_end|>\n<|im_start|>assistant\n";
    let tokenizer = tiny_tokens(model);
    let mut tokens = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let longest = tokenizer.iter().enumerate().rev();
        let mut fits = longest.filter(|(_, token)| rest.starts_with(token.as_str()));
        let (id, token) = fits.next().unwrap();
        tokens.push(id as u32);
        rest = &rest[token.len()..];
    }
    let plain = model.plain();
    let prompt = tokens.len();
    for _ in 0..NEW_TOKENS {
        let logits = plain.logits(&tokens).pop().unwrap();
        let choices = logits.iter().enumerate();
        let best = choices.max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
        tokens.push(best.0 as u32);
    }
    tokens.split_off(prompt)
}

/// The texts of the model's tokens: visible ASCII, spaces and line ends stand for themselves.
fn tiny_tokens(model: &TinyModel) -> Vec<String> {
    let file = model.gguf();
    let mut pairs = file.pairs.iter();
    let (_, tokens) = pairs
        .find(|(key, _)| key == "tokenizer.ggml.tokens")
        .unwrap();
    let gguf_file::Value::Array(_, tokens) = tokens else {
        panic!("{tokens:?}");
    };
    let text = |token: &gguf_file::Value| match token {
        gguf_file::Value::Text(text) => text.replace('Ġ', " ").replace('Ċ', "\n"),
        other => panic!("{other:?}"),
    };
    tokens.iter().map(text).collect()
}

#[test]
fn a_model_is_the_same_however_it_comes() {
    for sizes in [LLAMA, LLAMA_3, QWEN2, QWEN3] {
        let model = tiny(sizes);
        let expected = expected(&model);
        let folder = model_folder::empty("however");
        let [gguf, named, single, sharded] =
            ["tiny.gguf", "sha256-123", "single", "sharded"].map(|name| folder.join(name));
        fs::write(&gguf, model.gguf().bytes()).unwrap();
        fs::copy(&gguf, &named).unwrap();
        let split = model_folder::gguf_split(&folder, &model, 3);
        fs::create_dir(&single).unwrap();
        model_folder::single(&single, &model);
        fs::create_dir(&sharded).unwrap();
        model_folder::sharded(&sharded, &model);
        for path in [
            &gguf,
            &named,
            &split[0],
            &split[2],
            &single,
            &single.join("model.safetensors"),
            &sharded,
            &sharded.join("model-00002-of-00002.safetensors"),
        ] {
            assert_eq!(tokens(path, "cpu"), expected, "{}", path.display());
        }
        for path in [&split[1], &sharded] {
            assert_eq!(tokens(path, "gpu"), expected, "{}", path.display());
        }
    }
}

/// Newer models have it beside the rest; it counts above the one in `tokenizer_config.json`.
#[test]
fn a_chat_template_in_a_file_of_its_own() {
    let folder = model_folder::empty("template");
    model_folder::single(&folder, &tiny(LLAMA));
    let with_theirs = kvscope(&folder, "cpu").stdout;
    fs::write(
        folder.join("chat_template.jinja"),
        "{{ messages[0].content }}",
    )
    .unwrap();
    let with_own = kvscope(&folder, "cpu").stdout;
    let prompt = |output: &[u8]| {
        let summary = std::str::from_utf8(output).unwrap().lines().last().unwrap();
        serde_json::from_str::<Value>(summary).unwrap()["promptTokens"].clone()
    };
    // "ba", "n", "a", "n", "a", " ", "1", "2"; the other has what is said about it, too.
    assert_eq!(prompt(&with_own), 8);
    assert!(prompt(&with_theirs).as_u64() > Some(8));
}

#[test]
fn what_is_no_model_is_said() {
    let folder = model_folder::empty("no-model");
    let neither = "is neither a .gguf file nor a folder with config.json";
    let refuses = |path: &Path, code: &str, says: &[&str]| {
        let (found, message) = refused(path);
        assert_eq!(found, code, "{message}");
        for part in says {
            assert!(message.contains(part), "{message:?} does not say {part:?}");
        }
    };
    refuses(&folder, "model-not-found", &["no-model", neither]);
    let text = folder.join("notes.txt");
    fs::write(&text, "GGU").unwrap();
    refuses(&text, "model-not-found", &["notes.txt", neither]);
    let alone = folder.join("model.safetensors");
    fs::write(&alone, tiny(LLAMA).safetensors()).unwrap();
    refuses(&alone, "model-not-found", &["model.safetensors", neither]);
    let named = folder.join("named.gguf");
    fs::write(&named, "this is no model").unwrap();
    refuses(&named, "model-malformed", &["at byte 0"]);
    refuses(&folder.join("none"), "model-read", &["none"]);
    refuses(
        &folder.join("none.safetensors"),
        "model-read",
        &["none.safetensors"],
    );

    let folder = model_folder::empty("no-weights");
    model_folder::configuration(&folder, &tiny(LLAMA));
    let names = ["model.safetensors", "model.safetensors.index.json"];
    refuses(&folder, "model-read", &names);
}

#[test]
fn what_a_folder_lacks_is_named() {
    for missing in [
        "tokenizer.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ] {
        let folder = model_folder::empty("lacking");
        model_folder::sharded(&folder, &tiny(LLAMA));
        fs::remove_file(folder.join(missing)).unwrap();
        let (code, message) = refused(&folder);
        assert_eq!(code, "model-read", "{message}");
        assert!(message.contains(missing), "{message}");
    }
}

#[test]
fn an_index_and_its_files_agree() {
    let folder = model_folder::empty("index");
    model_folder::sharded(&folder, &tiny(LLAMA));
    let [first, second] = [1, 2].map(|number| format!("model-0000{number}-of-00002.safetensors"));
    let [first, second] = [first, second].map(|name| folder.join(name));
    fs::rename(&first, folder.join("other")).unwrap();
    fs::rename(&second, &first).unwrap();
    fs::rename(folder.join("other"), &second).unwrap();
    let (code, message) = refused(&folder);
    assert_eq!(code, "model-malformed", "{message}");
    assert!(message.contains("as the index says"), "{message}");
}

#[test]
fn loading_tells_how_far_it_is_and_ends_when_asked() {
    let folder = model_folder::empty("progress");
    model_folder::sharded(&folder, &tiny(LLAMA));
    let shards = [1, 2].map(|number| format!("model-0000{number}-of-00002.safetensors"));
    let bytes = shards.map(|name| fs::metadata(folder.join(name)).unwrap().len());
    let total: u64 = bytes.iter().sum();
    assert!(total > 2 << 20, "more than two pieces");

    let mut told = vec![0];
    let device = Device::flex();
    let whole = load_model(&folder, &device, u64::MAX, |read, of| {
        assert_eq!(of, total);
        told.push(read);
        ControlFlow::Continue(())
    });
    assert!(whole.is_ok());
    assert!(told.is_sorted() && told.contains(&bytes[0]));
    assert_eq!(told.last(), Some(&total));
    let pieces = told.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(pieces.max() <= Some(1 << 20));

    let mut calls = 0;
    let ended = load_model(&folder, &device, u64::MAX, |_, _| {
        calls += 1;
        if calls == 2 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert_eq!(ended.unwrap_err().code(), "cancelled");
    assert_eq!(calls, 2);
}

#[test]
fn a_tensor_beyond_the_binding_limit_is_refused() {
    let folder = model_folder::empty("binding");
    model_folder::single(&folder, &tiny(LLAMA));
    // A matrix of the feed-forward, 512 · 256 f32, is the largest tensor.
    let largest = 512 * 256 * 4;
    let load = |limit| {
        let progress = |_, _| ControlFlow::Continue(());
        load_model(&folder, &Device::flex(), limit, progress)
    };
    assert!(load(largest).is_ok());
    assert_eq!(load(largest - 1).unwrap_err().code(), "limit-too-small");
}
