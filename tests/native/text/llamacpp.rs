//! Real files' texts against the tokens that llama.cpp gives them, in the form of
//! `llamacpp_tokens.json`.
//!
//! `cargo xtask parity` runs the ignored tests, with records of the folder that `KVSCOPE_REFERENCE`
//! names.

use std::fs;

use kvscope::text::Controls;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::support::real_model::{self, RealModel};

/// A text's tokens, read without and with special tokens in it.
#[derive(Deserialize)]
struct Text {
    text: String,
    plain: Vec<u32>,
    special: Vec<u32>,
}

/// Texts of which llama.cpp makes other tokens than a model's own `tokenizer.json`, which holds
/// here. It composes no characters where Qwen2's does.
fn is_another_way(model: RealModel, text: &str) -> bool {
    model == RealModel::Qwen && text.contains(['\u{301}', '\u{308}', '\u{338}'])
}

/// Compares all texts of a record that are of `model`.
fn cuts(record: &str, model: RealModel) -> usize {
    let record: Json = serde_json::from_str(record).unwrap();
    let of_model = model.names().iter().find_map(|name| record.get(name));
    let Some(of_model) = of_model else {
        return 0;
    };
    let tokenizer = model.tokenizer();
    let id = |key: &str| of_model[key].as_u64().map(|id| id as u32);
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (id("bos"), id("eos")));
    for end in [id("eos"), id("eot")].into_iter().flatten() {
        assert!(tokenizer.stop_tokens().contains(&end), "{end}");
    }
    let texts: Vec<Text> = serde_json::from_value(of_model["texts"].clone()).unwrap();
    let mut wrong = Vec::new();
    for it in texts.iter().filter(|it| !is_another_way(model, &it.text)) {
        let ways = [(Controls::AsText, &it.plain), (Controls::Read, &it.special)];
        for (controls, expected) in ways {
            let found = tokenizer.encode(&it.text, controls).unwrap();
            if found != *expected {
                let text = &it.text;
                wrong.push(format!(
                    "{controls:?} {text:?}:\n  {found:?}\n  {expected:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{model:?}\n{}", wrong.join("\n"));
    texts.len()
}

#[test]
fn smollm2_cuts_texts_as_llama_cpp_does() {
    let texts = cuts(include_str!("llamacpp.json"), RealModel::Smollm2);
    assert!(texts > 50, "{texts}");
}

#[test]
fn qwen_and_gemma_cut_texts_as_llama_cpp_does_only_if_they_were_fetched() {
    for model in [RealModel::Qwen, RealModel::Gemma] {
        match model.file() {
            Ok(_) => assert!(cuts(include_str!("llamacpp.json"), model) > 50),
            Err(missing) => println!("NOT RUN: {missing}"),
        }
    }
}

#[test]
#[ignore = "`cargo xtask parity` runs it"]
fn parity_of_texts() {
    let path = real_model::reference_folder().join("llamacpp_tokens.json");
    let record = fs::read_to_string(&path);
    let record = record.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for model in RealModel::ALL {
        if let Err(missing) = model.file() {
            println!("NOT COMPARED: {missing}");
            continue;
        }
        match cuts(&record, model) {
            0 => println!("NOT COMPARED: {} has no text of {model:?}", path.display()),
            texts => println!("{model:?}: {texts} texts, without and with special tokens"),
        }
    }
}
