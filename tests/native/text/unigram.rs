//! The unigram model against SentencePiece and llama.cpp, from GGUF and from `tokenizer.json`.

use kvscope::text::{Controls, Detokenizer, TextError, Tokenizer};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::support::gguf_file::{GgufFile, Value};
use crate::support::text::{CONTROL, NORMAL, UNKNOWN, Vocabulary, decoded, read};

/// A model and its texts, as `unigram.py` recorded them.
#[derive(Deserialize)]
struct Recorded {
    /// Several spaces in a row are one, and none is left at the end.
    merge: bool,
    charsmap: String,
    tokens: Vec<String>,
    scores: Vec<f32>,
    types: Vec<i32>,
    texts: Vec<Encoded>,
}

#[derive(Deserialize)]
struct Encoded {
    text: String,
    /// SentencePiece's.
    ids: Vec<u32>,
    llamacpp: Vec<u32>,
}

fn recorded() -> Vec<Recorded> {
    serde_json::from_str(include_str!("unigram.json")).unwrap()
}

/// Bytes in base 64, by its definition.
fn bytes(text: &str) -> Vec<u8> {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = text.trim_end_matches('=').chars().flat_map(|digit| {
        let value = alphabet.find(digit).unwrap();
        (0..6).rev().map(move |bit| value >> bit & 1 == 1)
    });
    let bits: Vec<bool> = bits.collect();
    let bytes = bits.chunks_exact(8);
    bytes
        .map(|bits| bits.iter().fold(0, |byte, &bit| byte << 1 | u8::from(bit)))
        .collect()
}

fn gguf(model: &Recorded) -> GgufFile {
    let vocabulary = Vocabulary {
        tokens: model.tokens.clone(),
        types: model.types.clone(),
        scores: model.scores.clone(),
        ..Vocabulary::default()
    };
    let map = bytes(&model.charsmap).into_iter().map(Value::U8).collect();
    let vocabulary = vocabulary
        .with("ggml.model", Value::text("t5"))
        .with("ggml.precompiled_charsmap", Value::Array(0, map))
        .with("ggml.add_space_prefix", Value::Bool(true))
        .with("ggml.remove_extra_whitespaces", Value::Bool(model.merge));
    let mut file = vocabulary.llama();
    file.pairs
        .retain(|(key, value)| key != "tokenizer.ggml.model" || *value == Value::text("t5"));
    file
}

/// As transformers' converter writes such a model.
fn folder(model: &Recorded) -> Json {
    let vocab: Vec<Json> = model
        .tokens
        .iter()
        .zip(&model.scores)
        .map(|(token, score)| json!([token, score]))
        .collect();
    let special = |id: usize| json!({"id": id, "content": model.tokens[id], "special": true});
    let mut normalizers = vec![json!({
        "type": "Precompiled", "precompiled_charsmap": model.charsmap
    })];
    if model.merge {
        normalizers.push(json!({"type": "Strip", "strip_left": true, "strip_right": true}));
        normalizers.push(json!({
            "type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "
        }));
    }
    json!({
        "added_tokens": [special(0), special(1), special(2)],
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "pre_tokenizer": {
            "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true
        },
        "decoder": {
            "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true
        },
        "model": {"type": "Unigram", "unk_id": 2, "vocab": vocab, "byte_fallback": false},
    })
}

fn from_json(file: &Json) -> Result<Tokenizer, TextError> {
    Tokenizer::from_json(file.to_string().as_bytes(), None)
}

#[test]
fn texts_have_the_tokens_that_others_give_them() {
    for model in recorded() {
        let tokenizer = read(&gguf(&model)).unwrap();
        for Encoded {
            text,
            ids,
            llamacpp,
        } in &model.texts
        {
            let found = tokenizer.encode(text, Controls::AsText).unwrap();
            assert_eq!(&found, llamacpp, "{text:?}, {}", model.merge);
            // Of a text of spaces alone llama.cpp makes as many tokens, SentencePiece one more.
            if text != " " {
                assert_eq!(ids, llamacpp, "{text:?}, {}", model.merge);
            }
        }
    }
}

#[test]
fn a_folder_has_the_same_tokens() {
    for model in recorded().iter().filter(|model| model.merge) {
        let tokenizer = from_json(&folder(model)).unwrap();
        for Encoded { text, ids, .. } in &model.texts {
            let found = tokenizer.encode(text, Controls::AsText).unwrap();
            assert_eq!(&found, ids, "{text:?}");
        }
    }
}

#[test]
fn tokens_are_spelt_and_ends_known() {
    for model in recorded() {
        for tokenizer in [
            read(&gguf(&model)).unwrap(),
            from_json(&folder(&model)).unwrap(),
        ] {
            let ids = tokenizer.encode("the keeper", Controls::AsText).unwrap();
            assert_eq!(decoded(Detokenizer::new(&tokenizer), &ids), "the keeper");
            assert_eq!(tokenizer.stop_tokens(), [1]);
            assert!(!tokenizer.adds_bos());
            let read = tokenizer.encode("a</s>", Controls::Read).unwrap();
            assert_eq!(read.last(), Some(&1));
            let written = tokenizer.encode("a</s>", Controls::AsText).unwrap();
            assert!(!written.contains(&1), "{written:?}");
        }
    }
}

#[test]
fn what_is_wrong_is_named() {
    let model = &recorded()[0];
    let right = folder(model);
    for (pointer, value, words) in [
        ("/model/unk_id", json!(5000), "unk_id"),
        ("/model/vocab", json!({"a": 0}), "another model's"),
        ("/model/vocab", json!([["a", 0.0], ["a", 1.0]]), "twice"),
        ("/model/type", json!("WordPiece"), "BPE and Unigram"),
        ("/model/type", json!("BPE"), "another model's"),
        (
            "/normalizer/normalizers/0/precompiled_charsmap",
            json!("é"),
            "can't be read",
        ),
        (
            "/normalizer/normalizers/0/precompiled_charsmap",
            json!("AAAA"),
            "can't be read",
        ),
    ] {
        let mut file = right.clone();
        *file.pointer_mut(pointer).unwrap() = value;
        let error = from_json(&file).unwrap_err();
        assert!(error.code().starts_with("tokenizer-"), "{error}");
        assert!(error.to_string().contains(words), "{pointer}: {error}");
    }
    // Without an unknown token, what has none is an error of that text alone.
    let vocabulary = Vocabulary::default()
        .token("a", NORMAL)
        .token("<unk>", UNKNOWN);
    let mut vocabulary = vocabulary.token("</s>", CONTROL);
    vocabulary.scores = vec![-1.0; 3];
    let file = vocabulary.with("ggml.model", Value::text("t5")).llama();
    let mut file = file;
    file.pairs
        .retain(|(key, value)| key != "tokenizer.ggml.model" || *value == Value::text("t5"));
    let tokenizer = read(&file).unwrap();
    assert_eq!(tokenizer.encode("aé", Controls::AsText).unwrap(), [0, 1]);
}
