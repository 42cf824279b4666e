//! SentencePiece vocabularies against SentencePiece's records and a slow, plain implementation.

use kvscope::text::{Controls, Detokenizer};
use proptest::prelude::*;
use serde::Deserialize;

use crate::support::gguf_file::Value;
use crate::support::text::plain::merged;
use crate::support::text::{
    BYTE, CONTROL, NORMAL, UNKNOWN, USER_DEFINED, Vocabulary, controls, decoded, read, shown,
};

#[derive(Deserialize)]
struct Recorded {
    tokens: Vec<String>,
    scores: Vec<f32>,
    types: Vec<i32>,
    texts: Vec<Encoded>,
}

#[derive(Deserialize)]
struct Encoded {
    text: String,
    ids: Vec<u32>,
    decoded: String,
}

fn recorded() -> (Vocabulary, Vec<Encoded>) {
    let recorded: Recorded = serde_json::from_str(include_str!("pieces.json")).unwrap();
    let vocabulary = Vocabulary {
        tokens: recorded.tokens,
        types: recorded.types,
        scores: recorded.scores,
        ..Vocabulary::default()
    };
    (vocabulary, recorded.texts)
}

#[test]
fn texts_have_the_tokens_that_sentencepiece_gives_them() {
    let (vocabulary, texts) = recorded();
    let tokenizer = read(&vocabulary.llama()).unwrap();
    assert!(texts.len() > 10);
    for Encoded {
        text,
        ids,
        decoded: back,
    } in texts
    {
        let encoded = tokenizer.encode(&text, Controls::AsText).unwrap();
        assert_eq!(encoded, ids, "{text:?}");
        assert_eq!(
            decoded(Detokenizer::new(&tokenizer), &ids),
            back,
            "{text:?}"
        );
    }
    assert_eq!(tokenizer.stop_tokens(), [2]);
    assert!(tokenizer.adds_bos());
    assert_eq!(
        tokenizer.encode_prompt("<s>the").unwrap(),
        [1, vocabulary.id("▁the")]
    );
    assert_eq!(
        tokenizer.encode_prompt("the").unwrap(),
        [1, vocabulary.id("▁the")]
    );
}

#[test]
fn no_text_becomes_a_control_token() {
    let (vocabulary, _) = recorded();
    let tokenizer = read(&vocabulary.llama()).unwrap();
    let text = "a</s><s> <unk><0x00>";
    let ids = tokenizer.encode(text, Controls::AsText).unwrap();
    assert!(controls(&tokenizer, &ids).is_empty());
    assert_eq!(decoded(Detokenizer::new(&tokenizer), &ids), text);
    let ids = tokenizer.encode(text, Controls::Read).unwrap();
    assert_eq!(controls(&tokenizer, &ids), [2, 1]);
}

#[test]
fn no_space_is_added_where_the_file_says_so() {
    let (vocabulary, _) = recorded();
    let vocabulary = vocabulary.with("ggml.add_space_prefix", Value::Bool(false));
    let tokenizer = read(&vocabulary.llama()).unwrap();
    let ids = tokenizer.encode("the", Controls::AsText).unwrap();
    assert!(!ids.contains(&vocabulary.id("▁the")), "{ids:?}");
    assert_eq!(decoded(Detokenizer::new(&tokenizer), &ids), "the");
    let ids = tokenizer.encode(" the", Controls::AsText).unwrap();
    assert_eq!(ids, [vocabulary.id("▁the")]);
    assert_eq!(decoded(Detokenizer::new(&tokenizer), &ids), " the");
}

/// Without tokens of bytes, characters that the vocabulary does not have become the unknown token,
/// once in a row.
#[test]
fn unknown_characters_are_one_unknown_token() {
    let mut vocabulary = Vocabulary::default()
        .token("<unk>", UNKNOWN)
        .token("▁", NORMAL);
    vocabulary = vocabulary
        .token("a", NORMAL)
        .token("<end of it>", USER_DEFINED);
    vocabulary.scores = vec![0.0, -1.0, -2.0, 0.0];
    let tokenizer = read(&vocabulary.llama()).unwrap();
    let ids = tokenizer
        .encode("a日本a<end of it>a", Controls::AsText)
        .unwrap();
    assert_eq!(ids, [1, 2, 0, 2, 3, 1, 2]);
    assert_eq!(
        decoded(Detokenizer::new(&tokenizer), &ids),
        "aa<end of it> a"
    );
    assert_eq!(shown(&tokenizer, &ids), "a<unk>a<end of it> a");
}

fn pieces() -> impl Strategy<Value = Vocabulary> {
    let more = proptest::collection::btree_set("[ab▁é]{2,5}", 0..30);
    (more, any::<u64>()).prop_map(|(more, seed)| {
        let mut vocabulary = Vocabulary::default()
            .token("<unk>", UNKNOWN)
            .token("<s>", CONTROL);
        for byte in 0..=255_u8 {
            vocabulary = vocabulary.token(&format!("<0x{byte:02X}>"), BYTE);
        }
        for character in ["▁", "a", "b"] {
            vocabulary = vocabulary.token(character, NORMAL);
        }
        let mut more: Vec<String> = more.into_iter().collect();
        // In another order than that of the alphabet.
        more.sort_by_key(|text| {
            text.bytes().fold(seed, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
            })
        });
        vocabulary = more
            .iter()
            .fold(vocabulary, |it, text| it.token(text, NORMAL));
        vocabulary.scores = (0..vocabulary.tokens.len())
            .map(|id| -(id as f32))
            .collect();
        vocabulary
    })
}

proptest! {
    /// By the scores; where several pairs make the same piece, by the order of transformers'
    /// converter.
    #[test]
    fn tokens_are_those_of_the_plain_rules(vocabulary in pieces(), text in "[ab é]{0,24}") {
        let tokenizer = read(&vocabulary.llama()).unwrap();
        let normal = |text: &str| {
            let place = vocabulary.tokens.iter().position(|token| token == text);
            place.filter(|&id| vocabulary.types[id] == NORMAL)
        };
        let characters = |text: &str| text.chars().count();
        let rank = |left: &str, right: &str| {
            normal(left)?;
            normal(right)?;
            let made = normal(&[left, right].concat())?;
            // Scores fall with the number. Longer left sides come first.
            Some(made * 100 + (50 - characters(left)))
        };
        let spaced = if text.is_empty() { String::new() } else { format!("▁{}", text.replace(' ', "▁")) };
        let mut expected = Vec::new();
        for piece in merged(spaced.chars().map(String::from).collect(), rank) {
            match normal(&piece) {
                Some(id) => expected.push(id as u32),
                None => expected.extend(piece.bytes().map(|byte| u32::from(byte) + 2)),
            }
        }
        let ids = tokenizer.encode(&text, Controls::AsText).unwrap();
        prop_assert_eq!(&ids, &expected);
        prop_assert_eq!(decoded(Detokenizer::new(&tokenizer), &ids), text);
    }
}
