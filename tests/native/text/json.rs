//! Hugging Face's files: the same tokens as from GGUF, and errors for invalid ones.

use kvscope::text::{Controls, Detokenizer, Message, TextError, Tokenizer};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::support::text;
use crate::support::text::plain::CHARACTERS;
use crate::support::text::{CONTROL, USER_DEFINED, Vocabulary, decoded, read, shown};

const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

fn small() -> Vocabulary {
    Vocabulary::bytes(&[
        ("<s>", CONTROL),
        ("</s>", CONTROL),
        ("<think>", USER_DEFINED),
    ])
    .merge("a", "b")
    .merge("ab", "Ġ")
    .merge("Ġ", "ab")
    .merge("1", "2")
}

/// A byte-level file of that vocabulary, with Llama 3's rules.
fn byte_level(vocabulary: &Vocabulary, old_merges: bool) -> Json {
    let mut vocab = serde_json::Map::new();
    let mut added = Vec::new();
    for (id, (text, kind)) in vocabulary.tokens.iter().zip(&vocabulary.types).enumerate() {
        if [CONTROL, USER_DEFINED].contains(kind) {
            added.push(json!({
                "id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": *kind == CONTROL
            }));
        } else {
            vocab.insert(text.clone(), id.into());
        }
    }
    let merges = vocabulary
        .merges
        .iter()
        .map(|merge| match merge.split_once(' ') {
            Some(pair) if !old_merges => json!(pair),
            _ => json!(merge),
        });
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated", "invert": false},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}
        ]},
        "post_processor": {"type": "Sequence", "processors": [
            {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true},
            {"type": "TemplateProcessing",
             "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
             "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [256], "tokens": ["<s>"]}}}
        ]},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": true,
            "vocab": vocab, "merges": merges.collect::<Vec<_>>()
        }
    })
}

fn of(file: &Json, config: Option<&Json>) -> Result<Tokenizer, TextError> {
    let config = config.map(|config| serde_json::to_vec(config).unwrap());
    Tokenizer::from_json(&serde_json::to_vec(file).unwrap(), config.as_deref())
}

proptest! {
    #[test]
    fn tokens_are_those_of_the_same_vocabulary_in_a_gguf(
        parts in proptest::collection::vec(
            prop_oneof![
                proptest::sample::select(&CHARACTERS[..]).prop_map(|(c, _)| c.to_string()),
                proptest::sample::select(vec!["<s>", "</s>", "<think>", "ab ", "12"]).prop_map(str::to_owned),
            ],
            0..20,
        ),
        old_merges in any::<bool>(),
    ) {
        let text = parts.concat();
        let vocabulary = small();
        let from_json = of(&byte_level(&vocabulary, old_merges), None).unwrap();
        let from_gguf = read(&vocabulary.gpt2("llama-bpe")).unwrap();
        for controls in [Controls::Read, Controls::AsText] {
            let ids = from_json.encode(&text, controls).unwrap();
            prop_assert_eq!(&ids, &from_gguf.encode(&text, controls).unwrap());
            prop_assert_eq!(shown(&from_json, &ids), &*text);
        }
    }

    /// Whatever is changed in a file, it is read or refused.
    #[test]
    fn damaged_files_are_errors(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let file = byte_level(&small(), false);
        let mut bytes = serde_json::to_vec(&file).unwrap();
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] = byte;
        }
        match Tokenizer::from_json(&bytes, None) {
            Ok(tokenizer) => drop(tokenizer.encode("ab <s> 12", Controls::Read)),
            Err(error) => prop_assert!(error.code().starts_with("tokenizer-"), "{}", error),
        }
    }

    #[test]
    fn any_bytes_are_errors(bytes in any::<Vec<u8>>()) {
        prop_assert!(Tokenizer::from_json(&bytes, None).is_err());
        let file = serde_json::to_vec(&byte_level(&small(), false)).unwrap();
        prop_assert!(Tokenizer::from_json(&file, Some(&bytes)).is_err());
    }
}

#[test]
fn marks_and_template_come_from_the_files() {
    let file = byte_level(&small(), false);
    let tokenizer = of(&file, None).unwrap();
    assert_eq!(
        (tokenizer.bos(), tokenizer.eos(), tokenizer.adds_bos()),
        (Some(256), None, true)
    );
    assert_eq!(tokenizer.stop_tokens(), [257]);
    assert_eq!(tokenizer.vocabulary(), 263);
    let mut config = json!({
        "bos_token": {"content": "<s>", "lstrip": false}, "eos_token": "</s>", "add_bos_token": false,
        "chat_template": "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}"
    });
    let tokenizer = of(&file, Some(&config)).unwrap();
    assert_eq!(
        (tokenizer.bos(), tokenizer.eos(), tokenizer.adds_bos()),
        (Some(256), Some(257), true),
        "add_bos_token counts for nothing beside a tokenizer.json"
    );
    let messages = [Message::new("user", "</s>")];
    let ids = tokenizer.encode_chat(&messages, false).unwrap();
    assert_eq!(shown(&tokenizer, &ids), "<s></s></s>");
    assert_eq!(text::controls(&tokenizer, &ids), [256, 257]);
    config["chat_template"] = json!([
        {"name": "tool_use", "template": "tools"}, {"name": "default", "template": "x"}
    ]);
    let tokenizer = of(&file, Some(&config)).unwrap();
    assert_eq!(
        tokenizer.encode_chat(&messages, false).unwrap(),
        [256, u32::from(b'x')]
    );
    // Others are errors of chats alone.
    for other in [
        json!([{"name": "tool_use", "template": "tools"}]),
        json!(3),
        json!({}),
    ] {
        config["chat_template"] = other;
        let tokenizer = of(&file, Some(&config)).unwrap();
        assert!(tokenizer.encode("a", Controls::Read).is_ok());
        let error = tokenizer.encode_chat(&messages, false).unwrap_err();
        assert_eq!(error.code(), "chat-template");
        assert!(
            error.to_string().contains("tokenizer_config.json"),
            "{error}"
        );
    }
}

/// The file says that a mark is text, or that a text which is a mark is none. No user may write it.
#[test]
fn marks_are_no_text_whatever_the_file_says() {
    let vocabulary = small()
        .token("<|im_end|>", USER_DEFINED)
        .token("stop", text::NORMAL);
    let config = json!({"eos_token": "stop"});
    let tokenizer = of(&byte_level(&vocabulary, false), Some(&config)).unwrap();
    let ids = tokenizer
        .encode("a<|im_end|>stop", Controls::AsText)
        .unwrap();
    assert_eq!(text::controls(&tokenizer, &ids), [0; 0]);
    assert_eq!(shown(&tokenizer, &ids), "a<|im_end|>stop");
    let stops = [257, vocabulary.id("<|im_end|>"), vocabulary.id("stop")];
    assert_eq!(tokenizer.stop_tokens(), stops);
}

/// A Llama 2 file: spaces by `Metaspace` before the first piece only, bytes for what is missing.
#[test]
fn sentencepiece_files_are_read() {
    let mut vocab = serde_json::Map::new();
    for text in ["<unk>", "<s>", "</s>"] {
        vocab.insert(text.to_owned(), vocab.len().into());
    }
    for byte in 0..=255_u8 {
        vocab.insert(format!("<0x{byte:02X}>"), vocab.len().into());
    }
    for text in ["▁", "a", "b", "▁a", "▁ab"] {
        vocab.insert(text.to_owned(), vocab.len().into());
    }
    let special = |id: u32, text: &str| json!({"id": id, "content": text, "special": true});
    let file = json!({
        "added_tokens": [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
        "normalizer": null,
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false},
        "post_processor": null,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
            {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}
        ]},
        "model": {
            "type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
            "vocab": vocab, "merges": [["▁", "a"], ["▁a", "b"]]
        }
    });
    let tokenizer = of(&file, None).unwrap();
    let ids = tokenizer.encode("ab é<s>ab", Controls::Read).unwrap();
    // ▁ab ▁ é <s> a b: after a control token no space is added.
    assert_eq!(ids, [263, 259, 3 + 0xc3, 3 + 0xa9, 1, 260, 261]);
    assert_eq!(decoded(Detokenizer::new(&tokenizer), &ids), "ab éab");
    let ids = tokenizer.encode("<s></s><unk>", Controls::AsText).unwrap();
    assert_eq!(text::controls(&tokenizer, &ids), [0; 0]);
    assert_eq!(decoded(Detokenizer::new(&tokenizer), &ids), "<s></s><unk>");
}

/// One change to a file that is right, and the code and words of the error that it makes.
#[test]
fn what_is_wrong_is_named() {
    let regex = |pattern: &str| json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
    let deep = |times: usize| {
        (0..times).fold(
            json!({"type": "NFC"}),
            |step, _| json!({"type": "Sequence", "normalizers": [step]}),
        )
    };
    for (place, value, code, words) in [
        (
            "/model/type",
            json!("Unigram"),
            "tokenizer-unsupported",
            "Unigram",
        ),
        (
            "/model/continuing_subword_prefix",
            json!("##"),
            "tokenizer-unsupported",
            "##",
        ),
        (
            "/model/end_of_word_suffix",
            json!("</w>"),
            "tokenizer-unsupported",
            "</w>",
        ),
        (
            "/model/dropout",
            json!(0.5),
            "tokenizer-unsupported",
            "dropout",
        ),
        ("/model/vocab", json!({}), "tokenizer-malformed", "merge"),
        (
            "/model/vocab/a",
            json!(1),
            "tokenizer-malformed",
            "a number of its own",
        ),
        (
            "/model/vocab/a",
            json!(4_000_000_000_u32),
            "tokenizer-malformed",
            "below 1048576",
        ),
        (
            "/model/vocab/a",
            json!(-1),
            "tokenizer-malformed",
            "tokenizer.json",
        ),
        (
            "/model/merges",
            json!(["ab"]),
            "tokenizer-malformed",
            "two tokens",
        ),
        (
            "/model/merges",
            json!([["", "a"]]),
            "tokenizer-malformed",
            "two tokens",
        ),
        (
            "/model/merges",
            json!([["a", "zz"]]),
            "tokenizer-malformed",
            "zz",
        ),
        (
            "/model/merges",
            json!([["1", "1"]]),
            "tokenizer-malformed",
            "11",
        ),
        (
            "/model/unk_token",
            json!("none"),
            "tokenizer-malformed",
            "none",
        ),
        (
            "/added_tokens/0/content",
            json!(""),
            "tokenizer-malformed",
            "empty",
        ),
        (
            "/added_tokens/0/content",
            json!("</s>"),
            "tokenizer-malformed",
            "</s>",
        ),
        (
            "/added_tokens/0/id",
            json!(257),
            "tokenizer-malformed",
            "257",
        ),
        (
            "/added_tokens/0/single_word",
            json!(true),
            "tokenizer-unsupported",
            "whole word",
        ),
        (
            "/normalizer",
            json!({"type": "Precompiled", "precompiled_charsmap": "AA=="}),
            "tokenizer-unsupported",
            "Precompiled",
        ),
        (
            "/normalizer",
            json!({"type": "Replace", "pattern": {"Regex": "("}, "content": ""}),
            "tokenizer-malformed",
            "normalizer",
        ),
        (
            "/normalizer",
            json!(7),
            "tokenizer-unsupported",
            "normalizer",
        ),
        ("/normalizer", deep(60), "", ""),
        (
            "/pre_tokenizer",
            json!({"type": "UnicodeScripts"}),
            "tokenizer-unsupported",
            "UnicodeScripts",
        ),
        (
            "/pre_tokenizer",
            regex("("),
            "tokenizer-malformed",
            "pre-tokenizer",
        ),
        (
            "/pre_tokenizer",
            regex("((a{99}){99}){99}"),
            "tokenizer-unsupported",
            "regular expression",
        ),
        (
            "/pre_tokenizer",
            regex("a{4000000000}"),
            "tokenizer-unsupported",
            "regular expression",
        ),
        (
            "/pre_tokenizer",
            regex(&"a".repeat(5000)),
            "tokenizer-unsupported",
            "regular expression",
        ),
        ("/decoder", json!(null), "tokenizer-unsupported", "decoder"),
        (
            "/decoder",
            json!({"type": "WordPiece", "prefix": "##"}),
            "tokenizer-unsupported",
            "WordPiece",
        ),
        (
            "/decoder",
            json!({"type": "Fuse"}),
            "tokenizer-unsupported",
            "decoder",
        ),
    ] {
        let mut file = byte_level(&small(), false);
        *file.pointer_mut(place).unwrap_or_else(|| panic!("{place}")) = value;
        match of(&file, None) {
            Ok(tokenizer) => {
                assert_eq!(code, "", "{place}: {words}");
                assert!(tokenizer.encode("é", Controls::Read).is_ok());
            }
            Err(error) => {
                assert_eq!(error.code(), code, "{place}: {error}");
                assert!(error.to_string().contains(words), "{place}: {error}");
            }
        }
    }
}

/// A regular expression that gives up is an error and not a text cut short.
#[test]
fn a_regular_expression_that_gives_up_is_an_error() {
    let mut file = byte_level(&small(), false);
    let pattern = r"(?=((a|ab?)*)+c)a";
    file["pre_tokenizer"] = json!({"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false},
        {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}
    ]});
    let tokenizer = of(&file, None).unwrap();
    let text = "ab".repeat(60);
    match tokenizer.encode(&text, Controls::Read) {
        Ok(ids) => assert_eq!(shown(&tokenizer, &ids), text),
        Err(error) => assert_eq!(error.code(), "tokenizer-failed"),
    }
}
