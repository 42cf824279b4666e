//! Damaged tokenizers in GGUF files: an error that names the key and its place, never a panic.

use kvscope::text::{Controls, TextError, Tokenizer};
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
            "eos_token_id",
            Some(Value::I32(-1)),
            "not negative",
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
        (pieces(), "scores", texts(&["0"; 5]), "32-bit floats"),
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
        ("model", "bert", "gpt2, gemma4, llama and t5"),
        ("model", "", "gpt2, gemma4, llama and t5"),
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

/// Numbers that name no token: they are as good as missing, as in llama.cpp.
#[test]
fn numbers_beyond_the_vocabulary_name_no_token() {
    for (key, number) in [
        ("bos_token_id", Value::U32(258)),
        ("eos_token_id", Value::U64(u64::MAX)),
        ("eot_token_id", Value::I32(100_000)),
        ("eom_token_id", Value::U32(u32::MAX)),
    ] {
        let tokenizer = read(&with(byte_level(), key, Some(number))).unwrap();
        assert_eq!((tokenizer.bos(), tokenizer.eos()), (None, None), "{key}");
        assert!(tokenizer.stop_tokens().is_empty(), "{key}");
    }
    let number = Some(Value::U32(5));
    let tokenizer = read(&with(pieces(), "unknown_token_id", number)).unwrap();
    assert_eq!(tokenizer.encode("é", Controls::AsText).unwrap(), [3, 0]);
}

/// Types as any integers, and more of them than tokens.
#[test]
fn types_are_integers_of_any_width() {
    let types = [1_i8; 256].into_iter().chain([3, 1, 1]);
    let all =
        |id, value: fn(i8) -> Value| Value::Array(id, types.clone().map(value).collect::<Vec<_>>());
    for array in [
        all(0, |it| Value::U8(it as u8)),
        all(1, Value::I8),
        all(2, |it| Value::U16(it as u16)),
        all(3, |it| Value::I16(it.into())),
        all(4, |it| Value::U32(it as u32)),
        all(5, |it| Value::I32(it.into())),
        all(10, |it| Value::U64(it as u64)),
        all(11, |it| Value::I64(it.into())),
    ] {
        let tokenizer = read(&with(byte_level(), "token_type", Some(array.clone()))).unwrap();
        let controls = (0..258).filter(|&id| tokenizer.is_control(id));
        assert_eq!(controls.collect::<Vec<_>>(), [256], "{array:?}");
    }
}

/// Types that have no meaning are text, as in llama.cpp.
#[test]
fn types_without_a_meaning_are_text() {
    for number in [7, -1, i32::MAX] {
        let tokenizer = read(&with(byte_level(), "token_type", numbers(&[number; 258]))).unwrap();
        assert!(!tokenizer.is_control(256), "{number}");
        let ids = tokenizer.encode("a", Controls::AsText).unwrap();
        assert_eq!(ids, [97], "{number}");
    }
}

/// Scores as integers are those numbers.
#[test]
fn scores_may_be_integers() {
    let [floats, integers] = [
        floats(&[0.0, 0.0, 0.0, -1.0, -2.0]),
        numbers(&[0, 0, 0, -1, -2]),
    ]
    .map(|scores| read(&with(pieces(), "scores", scores)).unwrap());
    for text in ["  a", "   ", "a  \n"] {
        let ids = |tokenizer: &Tokenizer| tokenizer.encode(text, Controls::AsText).unwrap();
        assert_eq!(ids(&floats), ids(&integers), "{text:?}");
    }
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
