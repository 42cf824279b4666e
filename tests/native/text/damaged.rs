//! Damaged tokenizers in GGUF files: an error that names the key and its place, never a panic.

use kvscope::text::{Controls, TextError};
use proptest::prelude::*;

use crate::support::gguf_file::{GgufFile, Value};
use crate::support::text;
use crate::support::text::{BYTE, CONTROL, NORMAL, UNKNOWN, Vocabulary, metadata, read};

fn byte_level() -> GgufFile {
    Vocabulary::bytes(&[("<s>", CONTROL)])
        .merge("a", "b")
        .gpt2("gpt-2")
}

fn pieces() -> GgufFile {
    let mut vocabulary = Vocabulary::default()
        .token("<unk>", UNKNOWN)
        .token("<s>", CONTROL);
    vocabulary = vocabulary
        .token("<0x0A>", BYTE)
        .token("▁", NORMAL)
        .token("▁▁", NORMAL);
    vocabulary.scores = vec![0.0, 0.0, 0.0, -1.0, -2.0];
    vocabulary.llama()
}

/// The same file with another value for `tokenizer.{key}`, or without it.
fn with(mut file: GgufFile, key: &str, value: Option<Value>) -> GgufFile {
    let key = format!("tokenizer.ggml.{key}");
    file.pairs.retain(|(known, _)| *known != key);
    file.pairs.extend(value.map(|value| (key, value)));
    file
}

fn texts(texts: &[&str]) -> Option<Value> {
    Some(Value::texts(texts))
}

fn numbers(numbers: &[i32]) -> Option<Value> {
    Some(Value::Array(
        5,
        numbers.iter().map(|&number| Value::I32(number)).collect(),
    ))
}

fn floats(floats: &[f32]) -> Option<Value> {
    Some(Value::Array(
        6,
        floats.iter().map(|&float| Value::F32(float)).collect(),
    ))
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    assert!(read(&byte_level()).is_ok() && read(&pieces()).is_ok());
    for (file, key, value, words) in [
        (byte_level(), "model", None, "missing"),
        (byte_level(), "model", Some(Value::U32(1)), "a string"),
        (byte_level(), "pre", Some(Value::U32(1)), "a string"),
        (byte_level(), "tokens", None, "missing"),
        (byte_level(), "tokens", Some(Value::U32(1)), "an array"),
        (byte_level(), "tokens", numbers(&[1]), "an array of strings"),
        (byte_level(), "tokens", texts(&[]), "1 to 1048576 tokens"),
        (byte_level(), "token_type", numbers(&[1, 1]), "258 types"),
        (
            byte_level(),
            "token_type",
            numbers(&[7; 258]),
            "token types from 1 to 6",
        ),
        (
            byte_level(),
            "token_type",
            numbers(&[-1; 258]),
            "token types from 1 to 6",
        ),
        (
            byte_level(),
            "token_type",
            floats(&[1.0; 258]),
            "32-bit integers",
        ),
        (byte_level(), "merges", None, "missing"),
        (byte_level(), "merges", texts(&["ab"]), "two tokens"),
        (byte_level(), "merges", texts(&[" b"]), "two tokens"),
        (byte_level(), "merges", texts(&["a "]), "two tokens"),
        (
            byte_level(),
            "merges",
            texts(&["a zz"]),
            "tokens of the vocabulary",
        ),
        (
            byte_level(),
            "merges",
            texts(&["a c"]),
            "tokens of the vocabulary",
        ),
        (byte_level(), "merges", numbers(&[1]), "an array of strings"),
        (
            byte_level(),
            "bos_token_id",
            Some(Value::U32(258)),
            "below 258",
        ),
        (
            byte_level(),
            "eos_token_id",
            Some(Value::I32(-1)),
            "not negative",
        ),
        (
            byte_level(),
            "eot_token_id",
            Some(Value::U64(u64::MAX)),
            "below 258",
        ),
        (
            byte_level(),
            "eom_token_id",
            Some(Value::text("2")),
            "an integer",
        ),
        (byte_level(), "add_bos_token", Some(Value::U8(1)), "a bool"),
        (pieces(), "scores", None, "missing"),
        (pieces(), "scores", floats(&[0.0; 4]), "5 scores"),
        (pieces(), "scores", floats(&[f32::NAN; 5]), "finite scores"),
        (pieces(), "scores", numbers(&[0; 5]), "32-bit floats"),
        (
            pieces(),
            "token_type",
            numbers(&[1, 3, 6, 1, 1]),
            "an unknown token, or",
        ),
        (
            pieces(),
            "tokens",
            texts(&["", "<s>", "<0x0A>", "▁", "▁▁"]),
            "an unknown token, or",
        ),
        (pieces(), "unknown_token_id", Some(Value::U32(5)), "below 5"),
        (pieces(), "add_space_prefix", Some(Value::U8(1)), "a bool"),
        (
            pieces(),
            "tokens",
            texts(&["a", "b", "c", "d", &"e".repeat(257)]),
            "at most 256 bytes",
        ),
        (
            pieces(),
            "tokens",
            texts(&["a", "b", "c", "a", "e"]),
            "each token once",
        ),
    ] {
        let file = with(file, key, value);
        let error = read(&file).unwrap_err();
        assert_eq!(error.code(), "tokenizer-malformed", "{key}: {error}");
        let said = error.to_string();
        assert!(said.contains(words), "{key}: {said}");
        let TextError::Metadata(error) = error else {
            panic!("{key}: {error:?}");
        };
        // The error may be about another key that no longer fits, at its own place.
        let all = metadata(&file);
        let named = all
            .iter()
            .find(|(key, _)| said.contains(&format!("\"{key}\"")));
        let place = named.map_or(all.offset("none"), |(key, _)| all.offset(key));
        assert_eq!(error.offset(), Some(place), "{key}: {said}");
    }
}

#[test]
fn what_is_not_known_is_named_with_what_is() {
    for (key, value, known) in [
        ("model", "bert", "gpt2 and llama"),
        ("model", "", "gpt2 and llama"),
        ("pre", "gpt-17", "llama-bpe"),
        ("pre", "", "qwen2"),
    ] {
        let file = with(byte_level(), key, Some(Value::text(value)));
        let error = read(&file).unwrap_err();
        assert_eq!(error.code(), "tokenizer-unsupported");
        let said = error.to_string();
        assert!(
            said.contains(&format!("{value:?}")) && said.contains(known),
            "{said}"
        );
    }
}

#[test]
fn a_chat_template_that_is_no_string_is_an_error() {
    let file = byte_level().with("tokenizer.chat_template", Value::U32(1));
    assert_eq!(read(&file).unwrap_err().code(), "tokenizer-malformed");
}

/// Tokens that are none: a file may have several, and no number means them.
#[test]
fn empty_tokens_are_places_that_are_not_used() {
    let vocabulary = Vocabulary::bytes(&[("", NORMAL), ("<s>", CONTROL), ("", CONTROL)]);
    let tokenizer = read(&vocabulary.gpt2("gpt-2")).unwrap();
    assert_eq!(tokenizer.vocabulary(), 259);
    assert_eq!(tokenizer.token_bytes(256), None);
    assert_eq!(tokenizer.token_bytes(258), None);
    assert_eq!(tokenizer.encode("a<s>", Controls::Read).unwrap(), [97, 257]);
}

proptest! {
    /// Any tokens, types, merges and scores: read or refused, and then no text makes it panic.
    #[test]
    fn any_vocabulary_is_read_or_refused(
        tokens in proptest::collection::vec("[ab▁Ġ<>]{0,3}|<0x0[A-F]>|\\PC{0,2}", 1..12),
        types in proptest::collection::vec(0..8_i32, 12),
        scores in proptest::collection::vec(any::<f32>(), 12),
        merges in proptest::collection::vec("[ab▁Ġ]{0,2} [ab▁Ġ]{0,2}|\\PC{0,3}", 0..4),
        ids in proptest::collection::vec(proptest::option::of(0..14_u32), 5),
        text in "[ab ▁<>]{0,12}|\\PC{0,8}",
    ) {
        let vocabulary = Vocabulary {
            types: types[..tokens.len()].to_vec(),
            scores: scores[..tokens.len()].to_vec(),
            tokens,
            merges,
            ..Vocabulary::default()
        };
        let keys = ["bos", "eos", "eot", "eom", "unknown"];
        let vocabulary = keys.iter().zip(&ids).fold(vocabulary, |it, (key, id)| match id {
            Some(id) => it.with(&format!("ggml.{key}_token_id"), Value::U32(*id)),
            None => it,
        });
        for file in [vocabulary.gpt2("llama-bpe"), vocabulary.llama()] {
            match read(&file) {
                Err(error) => prop_assert_eq!(error.code(), "tokenizer-malformed"),
                Ok(tokenizer) => {
                    for controls in [Controls::Read, Controls::AsText] {
                        let ids = tokenizer.encode(&text, controls).unwrap();
                        prop_assert!(ids.iter().all(|&id| (id as usize) < tokenizer.vocabulary()));
                        if controls == Controls::AsText {
                            prop_assert!(text::controls(&tokenizer, &ids).is_empty());
                        }
                    }
                }
            }
        }
    }
}
