//! Every pre-tokenizer's name against llama.cpp.

use kvscope::text::Controls;
use serde::Deserialize;

use crate::support::gguf_file::Value;
use crate::support::text::{CONTROL, NORMAL, Vocabulary, read, shown};

/// Texts and tokens that `pre_tokenizers.py` recorded.
#[derive(Deserialize)]
struct Recorded {
    texts: Vec<String>,
    /// Tokens of two and of four bytes: merges of bytes, then merges of twos.
    twos: Vec<String>,
    fours: Vec<String>,
    rules: Vec<Rule>,
    characters: Characters,
    /// The same vocabulary: runs of line breaks.
    runs: Texts,
}

/// A vocabulary of characters, but for some that become bytes, and texts in it.
#[derive(Deserialize)]
struct Characters {
    tokens: Vec<String>,
    types: Vec<i32>,
    merges: Vec<String>,
    #[serde(flatten)]
    cut: Texts,
}

#[derive(Deserialize)]
struct Texts {
    texts: Vec<String>,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    names: Vec<String>,
    ids: Vec<Vec<u32>>,
}

/// The part of `token` before its middle, and the rest.
fn halves(token: &str) -> (String, String) {
    let characters: Vec<char> = token.chars().collect();
    let (left, right) = characters.split_at(characters.len() / 2);
    (left.iter().collect(), right.iter().collect())
}

/// Texts that llama.cpp cuts otherwise than a model's own `tokenizer.json`, which holds here.
///
/// - It composes no characters, and leaves marks out of letters.
/// - In some expressions it does not tell cases apart.
/// - Some digits it groups without an expression, and only those from 0 to 9.
fn is_another_way(name: &str, text: &str) -> bool {
    let of = |names: &str| names.split(' ').any(|it| it == name);
    let marks = ['\u{301}', '\u{93e}', '\u{e32}', '\u{102c}', '\u{103a}'];
    of("qwen2 deepseek-r1-qwen stablelm2 kormo f2llmv2 megrez qwen35") && text.contains('\u{301}')
        || of("tekken gpt-4o llama4 kanana2 talkie minimax-m2 kimi-k2") && text.contains(marks)
        || of("tiny_aya cohere2moe kimi-k2 youtu") && text.contains("iPhone")
        || of("tiny_aya cohere2moe afmoe superbpe") && text.contains('\u{bd}')
        || of("tiny_aya cohere2moe") && text.contains("12345\u{3092}")
}

#[test]
fn words_are_cut_where_llama_cpp_cuts_them() {
    let recorded: Recorded = serde_json::from_str(include_str!("pre_tokenizers.json")).unwrap();
    let mut vocabulary = Vocabulary::bytes(&[]);
    for token in recorded.twos.iter().chain(&recorded.fours) {
        let (left, right) = halves(token);
        vocabulary = vocabulary.token(token, NORMAL);
        vocabulary.merges.push(format!("{left} {right}"));
    }
    let vocabulary = vocabulary.token("<s>", CONTROL);
    let mut wrong = Vec::new();
    let mut names = 0;
    for rule in &recorded.rules {
        for name in &rule.names {
            names += 1;
            let tokenizer = read(&vocabulary.gpt2(name)).unwrap();
            for (text, ids) in recorded.texts.iter().zip(&rule.ids) {
                let found = tokenizer.encode(text, Controls::AsText).unwrap();
                if found != *ids && !is_another_way(name, text) {
                    let shown = |ids: &[u32]| {
                        let tokens = ids.iter().map(|&id| tokenizer.token_bytes(id).unwrap());
                        let texts = tokens.map(|it| String::from_utf8_lossy(&it).into_owned());
                        texts.collect::<Vec<_>>().join("·")
                    };
                    wrong.push(format!("{name}:\n  {}\n  {}", shown(&found), shown(ids)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(names, 76);
}

/// Names whose tokens are of characters; `model` is a file of the model `gemma4`.
#[test]
fn lines_are_cut_where_llama_cpp_cuts_them() {
    let recorded: Recorded = serde_json::from_str(include_str!("pre_tokenizers.json")).unwrap();
    let Characters {
        tokens,
        types,
        merges,
        cut,
    } = recorded.characters;
    let vocabulary = Vocabulary {
        tokens,
        types,
        merges,
        ..Vocabulary::default()
    };
    let bos = Value::U32(vocabulary.id("<s>"));
    let vocabulary = vocabulary.with("ggml.bos_token_id", bos);
    let mut names = Vec::new();
    for Texts { texts, rules } in [cut, recorded.runs] {
        for Rule { names: named, ids } in rules {
            for name in named {
                let mut file = vocabulary.gpt2(&name);
                if name == "model" {
                    let key = "tokenizer.ggml.model";
                    file.pairs.retain(|(known, _)| known != key);
                    file = file.with(key, Value::text("gemma4"));
                }
                let tokenizer = read(&file).unwrap();
                for (text, ids) in texts.iter().zip(&ids) {
                    let found = tokenizer.encode(text, Controls::AsText).unwrap();
                    assert_eq!(&found, ids, "{name}: {text:?}");
                    assert_eq!(shown(&tokenizer, ids), text.replace('▁', " "), "{name}");
                }
                assert_eq!(tokenizer.adds_bos(), name != "sarvam-moe", "{name}");
                names.push(name);
            }
        }
    }
    let all = [
        "gemma4",
        "granite-embed-multi-311m",
        "sarvam-moe",
        "model",
        "gemma4",
    ];
    assert_eq!(names, all);
}

/// Files say otherwise at times; the model needs the token.
#[test]
fn gemma_4_begins_with_bos_whatever_the_file_says() {
    let vocabulary = Vocabulary::bytes(&[("<s>", CONTROL)])
        .with("ggml.bos_token_id", Value::U32(256))
        .with("ggml.add_bos_token", Value::Bool(false));
    assert!(read(&vocabulary.gpt2("gemma4")).unwrap().adds_bos());
    assert!(!read(&vocabulary.gpt2("sarvam-moe")).unwrap().adds_bos());
    assert!(!read(&vocabulary.gpt2("llama-bpe")).unwrap().adds_bos());
}
