//! Tokens that end a turn: by their names, by the file's keys, by a folder's configurations.

use kvscope::text::{Controls, Detokenizer, Tokenizer, TokenizerFiles};
use serde_json::{Map, Value as Json, json};

use crate::support::gguf_file::Value;
use crate::support::text::{CONTROL, NORMAL, UNUSED, USER_DEFINED, Vocabulary, alphabet, read};

/// Every name at which llama.cpp ends, whatever a file says of the token.
const NAMES: [&str; 21] = [
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|end|>",
    "<end_of_turn>",
    "<｜end▁of▁sentence｜>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<eos>",
    "<end_of_utterance>",
    "<|return|>",
    "<|call|>",
    "<|calls|>",
    "<|flush|>",
    "<turn|>",
    "<|tool_response>",
    "[e~[",
];

fn stops(marks: &[(&str, i32)]) -> Vec<u32> {
    let tokenizer = read(&Vocabulary::bytes(marks).gpt2("gpt-2")).unwrap();
    tokenizer.stop_tokens()
}

#[test]
fn names_are_ends_whatever_the_file_says_of_them() {
    for name in NAMES {
        for kind in [CONTROL, NORMAL, USER_DEFINED] {
            assert_eq!(stops(&[(name, kind)]), [256], "{name} {kind}");
        }
    }
}

/// In other vocabularies they are text: HTML, or a repository's names.
#[test]
fn some_names_are_ends_only_where_they_are_control_tokens() {
    for name in [
        "</s>",
        "<|fim_pad|>",
        "<|repo_name|>",
        "<|file_sep|>",
        "<PAD>",
    ] {
        assert_eq!(stops(&[(name, CONTROL)]), [256], "{name}");
        for kind in [NORMAL, USER_DEFINED] {
            assert!(stops(&[(name, kind)]).is_empty(), "{name} {kind}");
        }
    }
    // It is written as text, and read where a program wrote it, as by llama.cpp.
    for kind in [NORMAL, USER_DEFINED] {
        let tokenizer = read(&Vocabulary::bytes(&[("</s>", kind)]).gpt2("gpt-2")).unwrap();
        assert_eq!(Detokenizer::new(&tokenizer).push(256), "</s>");
        assert_eq!(tokenizer.mark("</s>"), None);
        assert_eq!(tokenizer.encode("</s>", Controls::Read).unwrap(), [256]);
        assert_eq!(tokenizer.encode("</s>", Controls::AsText).unwrap().len(), 4);
    }
    let named = Vocabulary::bytes(&[("</s>", NORMAL)])
        .with("ggml.eos_token_id", Value::U32(256))
        .gpt2("gpt-2");
    let tokenizer = read(&named).unwrap();
    assert_eq!(
        (tokenizer.stop_tokens(), tokenizer.eos()),
        (vec![256], Some(256))
    );
}

/// In gpt-oss and Solar Open `<|end|>` ends a message within a turn, in Gemma 4 `</s>` is text.
#[test]
fn some_ends_are_none_beside_others() {
    let all = |names: &[&str]| {
        let marks: Vec<_> = names.iter().map(|name| (*name, CONTROL)).collect();
        stops(&marks)
    };
    assert_eq!(all(&["<|end|>", "<|return|>", "<|call|>"]), [257, 258]);
    assert_eq!(all(&["<|end|>", "<|flush|>", "<|calls|>"]), [257, 258]);
    assert_eq!(all(&["<|end|>", "<|return|>"]), [256, 257]);
    assert_eq!(all(&["</s>", "<|tool_response>"]), [257]);
}

#[test]
fn keys_name_ends() {
    for key in ["eos", "eot", "eom", "fim_pad", "fim_rep", "fim_sep"] {
        let vocabulary = Vocabulary::bytes(&[("<|turn|>", NORMAL)]);
        let key = format!("ggml.{key}_token_id");
        let file = vocabulary.with(&key, Value::U32(256)).gpt2("gpt-2");
        assert_eq!(read(&file).unwrap().stop_tokens(), [256], "{key}");
    }
}

fn tokenizer_json() -> Vec<u8> {
    let bytes = alphabet().into_iter().zip(0..);
    let mut vocab: Map<String, Json> = bytes.map(|(c, id)| (c.to_string(), json!(id))).collect();
    vocab.insert("<|turn|>".to_owned(), json!(256));
    let level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true});
    let special = json!({"id": 257, "content": "<s>", "special": true});
    let file = json!({
        "added_tokens": [special], "pre_tokenizer": level, "decoder": level,
        "model": {"type": "BPE", "vocab": vocab, "merges": []},
    });
    file.to_string().into_bytes()
}

/// A list or a number, in either file; a token that is text stays text. What names no token is
/// passed over, and so is a file that is none.
#[test]
fn configurations_of_a_folder_name_ends() {
    let file = tokenizer_json();
    let ends = |config: Option<&str>, generation: Option<&str>| {
        let files = TokenizerFiles {
            tokenizer: &file,
            config: config.map(str::as_bytes),
            generation_config: generation.map(str::as_bytes),
            ..TokenizerFiles::default()
        };
        let tokenizer = Tokenizer::from_files(&files).unwrap();
        assert!(!tokenizer.is_control(256));
        assert_eq!(tokenizer.encode("a", Controls::AsText).unwrap().len(), 1);
        tokenizer.stop_tokens()
    };
    let (one, list) = (
        r#"{"eos_token_id": 256}"#,
        r#"{"eos_token_id": [257, 256, 97]}"#,
    );
    assert_eq!(ends(Some(one), None), [256]);
    assert_eq!(ends(None, Some(one)), [256]);
    assert_eq!(ends(Some(list), None), [97, 256, 257]);
    assert_eq!(ends(Some(one), Some(list)), [97, 256, 257]);
    for nothing in [
        "{}",
        r#"{"eos_token_id": null}"#,
        r#"{"eos_token_id": 258}"#,
        r#"{"eos_token_id": [-1, 1e9, "a", 258]}"#,
        "[",
    ] {
        assert!(ends(Some(nothing), Some(nothing)).is_empty(), "{nothing}");
        assert_eq!(ends(Some(one), Some(nothing)), [256], "{nothing}");
    }
}

/// A template that does not compile is an error of chats alone, wherever it is.
#[test]
fn a_broken_template_in_a_file_of_its_own_leaves_texts_usable() {
    let file = tokenizer_json();
    let files = TokenizerFiles {
        tokenizer: &file,
        chat_template: Some(b"{{ messages[0] "),
        ..TokenizerFiles::default()
    };
    let tokenizer = Tokenizer::from_files(&files).unwrap();
    assert!(tokenizer.encode("a", Controls::Read).is_ok());
    let error = tokenizer.encode_chat(&[], true).unwrap_err();
    assert_eq!(error.code(), "chat-template");
}

/// As a stop string, the text of a token that writes none has to be looked for as that token.
#[test]
fn marks_are_found_by_their_whole_text() {
    for (kind, is_mark) in [(CONTROL, true), (UNUSED, true), (USER_DEFINED, false)] {
        let tokenizer = read(&Vocabulary::bytes(&[("<sep>", kind)]).gpt2("gpt-2")).unwrap();
        let written = !Detokenizer::new(&tokenizer).push(256).is_empty();
        assert_eq!(written, !is_mark, "{kind}");
        assert_eq!(
            tokenizer.mark("<sep>"),
            Some(256).filter(|_| is_mark),
            "{kind}"
        );
        for other in ["", "<sep", "<sep> ", "a"] {
            assert_eq!(tokenizer.mark(other), None, "{other}");
        }
    }
}
