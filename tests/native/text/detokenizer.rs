//! Text of tokens one by one equals the text of all of them.

use kvscope::generate::Spelling;
use kvscope::text::{Detokenizer, Tokenizer};
use proptest::prelude::*;
use std::rc::Rc;

use crate::support::gguf_file::Value;
use crate::support::text::{
    BYTE, CONTROL, NORMAL, UNKNOWN, UNUSED, USER_DEFINED, Vocabulary, alphabet, read, spelled,
};

/// Bytes, parts of characters, whole ones, and tokens that are not bytes' names.
fn byte_level() -> Vocabulary {
    let marks = [
        ("<s>", CONTROL),
        ("<think>", USER_DEFINED),
        ("é｜", USER_DEFINED),
        ("[9]", UNUSED),
    ];
    let spell = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|&byte| alphabet()[usize::from(byte)])
            .collect::<String>()
    };
    let parts: [&[u8]; 6] = [
        b"\xf0\x9f",
        b"\x98\x80",
        b"\xe2\x82",
        b"\x80\x80",
        b"\xff\xc3",
        b"\xe2\x82\xac\xe2",
    ];
    let vocabulary = parts.iter().fold(Vocabulary::bytes(&marks), |it, part| {
        it.token(&spell(part), NORMAL)
    });
    vocabulary
        .token(&spelled("日本"), NORMAL)
        .token("｜", NORMAL)
}

fn pieces(prefix: bool) -> Vocabulary {
    let mut vocabulary = Vocabulary::default()
        .token("<unk>", UNKNOWN)
        .token("<s>", CONTROL);
    for byte in 0..=255_u8 {
        vocabulary = vocabulary.token(&format!("<0x{byte:02X}>"), BYTE);
    }
    for text in ["▁", "▁a", "a", "▁▁", "日", "<0xZZ>", "a▁b"] {
        vocabulary = vocabulary.token(text, NORMAL);
    }
    vocabulary = vocabulary.token(" ▁x", USER_DEFINED);
    vocabulary.scores = vec![0.0; vocabulary.tokens.len()];
    vocabulary.with("ggml.add_space_prefix", Value::Bool(prefix))
}

/// A token's bytes by what the format says of it.
fn bytes(vocabulary: &Vocabulary, id: u32, controls: bool) -> Vec<u8> {
    let Some(text) = vocabulary.tokens.get(id as usize) else {
        return Vec::new();
    };
    match vocabulary.types[id as usize] {
        CONTROL | UNKNOWN | UNUSED if !controls => Vec::new(),
        CONTROL | UNKNOWN | UNUSED | USER_DEFINED => text.as_bytes().to_vec(),
        BYTE => vec![u8::from_str_radix(&text[3..5], 16).unwrap()],
        _ if vocabulary.scores.is_empty() => {
            let alphabet = alphabet();
            let place = |c| {
                alphabet
                    .iter()
                    .position(|&known| known == c)
                    .map(|byte| byte as u8)
            };
            let bytes: Option<Vec<u8>> = text.chars().map(place).collect();
            bytes.unwrap_or_else(|| text.as_bytes().to_vec())
        }
        _ => text.replace('▁', " ").into_bytes(),
    }
}

fn whole(vocabulary: &Vocabulary, ids: &[u32], controls: bool, strip: bool) -> String {
    let bytes: Vec<u8> = ids
        .iter()
        .flat_map(|&id| bytes(vocabulary, id, controls))
        .collect();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    match text.strip_prefix(' ') {
        Some(rest) if strip => rest.to_owned(),
        _ => text,
    }
}

fn check(tokenizer: &Tokenizer, vocabulary: &Vocabulary, ids: &[u32], strip: bool) {
    for &id in ids {
        let known = vocabulary
            .tokens
            .get(id as usize)
            .map(|_| bytes(vocabulary, id, true));
        assert_eq!(tokenizer.token_bytes(id), known, "{id}");
    }
    for controls in [false, true] {
        let mut detokenizer = Detokenizer::new(tokenizer).with_controls(controls);
        // Twice: after the end it is at the beginning again.
        for _ in 0..2 {
            let mut text: String = ids.iter().map(|&id| detokenizer.push(id)).collect();
            text += &detokenizer.finish();
            assert_eq!(text, whole(vocabulary, ids, controls, strip), "{ids:?}");
        }
    }
}

proptest! {
    #[test]
    fn pieces_of_text_are_the_text(ids in proptest::collection::vec(0..280_u32, 0..24)) {
        let vocabulary = byte_level();
        check(&read(&vocabulary.gpt2("gpt-2")).unwrap(), &vocabulary, &ids, false);
        for prefix in [false, true] {
            let vocabulary = pieces(prefix);
            check(&read(&vocabulary.llama()).unwrap(), &vocabulary, &ids, prefix);
        }
    }

    /// The bytes that are hardest: beginnings and ends of characters in every order.
    #[test]
    fn characters_are_never_split(
        bytes in proptest::collection::vec(
            proptest::sample::select(
                vec![b'a', 0x80, 0x98, 0x9f, 0xc3, 0xe2, 0xed, 0xf0, 0xf4, 0xff]
            ),
            0..16,
        ),
    ) {
        let vocabulary = byte_level();
        let tokenizer = read(&vocabulary.gpt2("gpt-2")).unwrap();
        let ids: Vec<u32> = bytes.iter().map(|&byte| u32::from(byte)).collect();
        check(&tokenizer, &vocabulary, &ids, false);
    }
}

/// A text that goes on keeps its first space, an answer does not.
#[test]
fn the_first_space_is_left_out_unless_it_is_asked_for() {
    let vocabulary = pieces(true);
    let tokenizer = read(&vocabulary.llama()).unwrap();
    assert!(tokenizer.begins_with_space());
    for texts in [
        &["▁a"][..],
        &["▁", "a"],
        &["<0x20>", "a"],
        &["▁▁", "a"],
        &["<s>", "▁a"],
    ] {
        let ids: Vec<u32> = texts.iter().map(|text| vocabulary.id(text)).collect();
        let text = |first| {
            let mut detokenizer = Detokenizer::new(&tokenizer).with_first_space(first);
            ids.iter()
                .map(|&id| detokenizer.push(id))
                .collect::<String>()
        };
        let kept = text(true);
        assert_eq!(kept, whole(&vocabulary, &ids, false, false), "{texts:?}");
        assert_eq!(
            Some(text(false).as_str()),
            kept.strip_prefix(' '),
            "{texts:?}"
        );
    }
    let other = read(&pieces(false).llama()).unwrap();
    assert!(!other.begins_with_space());
}

/// A character comes as soon as it is whole, and not before.
#[test]
fn what_is_certain_comes_at_once() {
    let tokenizer = Rc::new(read(&byte_level().gpt2("gpt-2")).unwrap());
    let mut detokenizer = Detokenizer::new(Rc::clone(&tokenizer));
    let pushed: Vec<String> = [0x61, 0xf0, 0x9f, 0x98, 0x80, 0xe2, 0x62, 0xff, 0xe2]
        .map(|id| detokenizer.push(id))
        .to_vec();
    assert_eq!(
        pushed,
        ["a", "", "", "", "😀", "", "\u{fffd}b", "\u{fffd}", ""]
    );
    assert_eq!(detokenizer.finish(), "\u{fffd}");
    assert_eq!(detokenizer.finish(), "");
    assert_eq!(Spelling::push(&mut detokenizer, 0x61), "a");
}
