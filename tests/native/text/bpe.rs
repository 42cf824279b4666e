//! Byte-level BPE against a slow, plain implementation of the same rules.

use kvscope::text::{Controls, Tokenizer};
use proptest::prelude::*;

use crate::support::gguf_file::Value;
use crate::support::text;
use crate::support::text::plain::{CHARACTERS, Cut, merged, words};
use crate::support::text::{CONTROL, USER_DEFINED, Vocabulary, controls, read, shown, spelled};

const NAMES: [(&str, Cut, bool); 8] = [
    ("default", Cut::Gpt2, false),
    ("gpt-2", Cut::Gpt2, false),
    ("smollm", Cut::Digits, false),
    ("llama-bpe", Cut::Llama3, true),
    ("smaug-bpe", Cut::Llama3, false),
    ("qwen2", Cut::Qwen2, false),
    ("deepseek-r1-qwen", Cut::Qwen2, false),
    ("tekken", Cut::Tekken, true),
];

/// Tokens by the rules as they are written down.
fn plain(vocabulary: &Vocabulary, text: &str, cut: Cut, ignore_merges: bool) -> Vec<u32> {
    let rank = |left: &str, right: &str| {
        let merge = format!("{left} {right}");
        vocabulary.merges.iter().position(|known| *known == merge)
    };
    let mut ids = Vec::new();
    for word in words(text, cut) {
        let word = spelled(&word);
        let whole = vocabulary.tokens.iter().position(|token| *token == word);
        match whole.filter(|_| ignore_merges) {
            Some(id) => ids.push(id as u32),
            None => {
                let bytes = word.chars().map(String::from).collect();
                let pieces = merged(bytes, rank);
                ids.extend(pieces.iter().map(|piece| vocabulary.id(piece)));
            }
        }
    }
    ids
}

/// A text of the characters whose classes are known. Marks come alone, as letters with marks would
/// be composed.
fn texts() -> impl Strategy<Value = String> {
    let character = proptest::sample::select(&CHARACTERS[..]);
    proptest::collection::vec(character.prop_map(|(character, _)| character), 0..40)
        .prop_map(|characters| characters.into_iter().collect())
}

/// Merges as a trainer would find them: pairs that are in some text.
fn vocabularies() -> impl Strategy<Value = Vocabulary> {
    let pairs = proptest::collection::vec((texts(), any::<u16>()), 0..12);
    pairs.prop_map(|pairs| {
        pairs
            .into_iter()
            .fold(Vocabulary::bytes(&[]), |it, (text, at)| {
                let bytes = spelled(&text).chars().map(String::from).collect();
                let pieces = merged(bytes, |left, right| {
                    let merge = format!("{left} {right}");
                    it.merges.iter().position(|known| *known == merge)
                });
                match pieces.len() {
                    0 | 1 => it,
                    length => {
                        let at = usize::from(at) % (length - 1);
                        it.merge(&pieces[at], &pieces[at + 1])
                    }
                }
            })
    })
}

fn is_composed(text: &str) -> bool {
    // The marks that the tests have compose with the letters that they have in these pairs only.
    ![
        "a\u{301}", "e\u{301}", "E\u{301}", "A\u{301}", "r\u{301}", "R\u{301}", "s\u{301}",
        "S\u{301}",
    ]
    .into_iter()
    .chain(["l\u{301}", "L\u{301}", "m\u{301}"])
    .any(|pair| text.contains(pair))
}

proptest! {
    #[test]
    fn tokens_are_those_of_the_plain_rules(vocabulary in vocabularies(), text in texts()) {
        for (name, cut, ignore_merges) in NAMES {
            if cut == Cut::Qwen2 && !is_composed(&text) {
                continue;
            }
            let tokenizer = read(&vocabulary.gpt2(name)).unwrap();
            let ids = tokenizer.encode(&text, Controls::Read).unwrap();
            prop_assert_eq!(&ids, &plain(&vocabulary, &text, cut, ignore_merges), "{}: {:?}", name, &text);
            prop_assert_eq!(shown(&tokenizer, &ids), &*text);
        }
    }

    #[test]
    fn any_text_comes_back(text in any::<String>()) {
        let vocabulary = Vocabulary::bytes(&[("<s>", CONTROL), ("<think>", USER_DEFINED)]);
        for name in ["gpt-2", "llama-bpe", "tekken", "starcoder"] {
            let tokenizer = read(&vocabulary.gpt2(name)).unwrap();
            for controls in [Controls::Read, Controls::AsText] {
                let ids = tokenizer.encode(&text, controls).unwrap();
                prop_assert_eq!(shown(&tokenizer, &ids), &*text);
            }
        }
    }
}

fn tokenizer(vocabulary: &Vocabulary, name: &str) -> Tokenizer {
    read(&vocabulary.gpt2(name)).unwrap()
}

#[test]
fn qwen_2_composes_characters_first() {
    let vocabulary = Vocabulary::bytes(&[]);
    let qwen = tokenizer(&vocabulary, "qwen2");
    let ids = |text| qwen.encode(text, Controls::Read).unwrap();
    assert_eq!(ids("e\u{301}"), ids("é"));
    assert_eq!(ids("\u{212b}"), ids("Å"));
    let llama = tokenizer(&vocabulary, "llama-bpe");
    let bytes = llama.encode("e\u{301}", Controls::Read).unwrap();
    assert_eq!(bytes, [0x65, 0xcc, 0x81]);
}

#[test]
fn digits_are_cut_off_first_where_the_name_says_so() {
    let vocabulary = Vocabulary::bytes(&[]).merge("Ġ", "Ġ").merge("1", "2");
    let ids = |name| {
        let tokenizer = tokenizer(&vocabulary, name);
        tokenizer.encode("a  12", Controls::Read).unwrap()
    };
    let (a, one, two) = (u32::from(b'a'), u32::from(b'1'), u32::from(b'2'));
    assert_eq!(ids("starcoder"), [a, vocabulary.id("ĠĠ"), one, two]);
    let space = vocabulary.id("Ġ");
    assert_eq!(ids("gpt-2"), [a, space, space, vocabulary.id("12")]);
}

#[test]
fn a_word_that_is_a_token_needs_no_merges_only_where_the_name_says_so() {
    let vocabulary = Vocabulary::bytes(&[]).token("abc", text::NORMAL);
    let ids = |name| {
        let tokenizer = tokenizer(&vocabulary, name);
        tokenizer.encode("abc", Controls::Read).unwrap()
    };
    assert_eq!(ids("llama-bpe"), [256]);
    assert_eq!(ids("tekken"), [256]);
    assert_eq!(ids("smaug-bpe"), [97, 98, 99]);
    assert_eq!(ids("qwen2"), [97, 98, 99]);
}

/// Whatever the vocabulary offers: a control token that is a word, and one that merges lead to.
#[test]
fn no_text_becomes_a_control_token_by_merges_or_as_a_word() {
    let vocabulary = Vocabulary::bytes(&[("stop", CONTROL), ("ab", CONTROL), ("no", USER_DEFINED)])
        .merge("a", "b")
        .merge("ab", "c")
        .with("ggml.eos_token_id", Value::U32(256));
    let vocabulary = Vocabulary {
        merges: vec!["a b".into(), "ab c".into()],
        ..vocabulary
    };
    for (name, _, _) in NAMES {
        let tokenizer = tokenizer(&vocabulary, name);
        let ids = tokenizer.encode("stop abc no", Controls::AsText).unwrap();
        assert_eq!(controls(&tokenizer, &ids), [0; 0], "{name}");
        assert_eq!(shown(&tokenizer, &ids), "stop abc no");
        assert_eq!(ids.last(), Some(&258), "{name}");
        let ids = tokenizer.encode("stop abc", Controls::Read).unwrap();
        assert_eq!(controls(&tokenizer, &ids), [256, 257], "{name}");
    }
}

#[test]
fn the_bos_token_comes_once_and_only_where_it_is_wanted() {
    let vocabulary = Vocabulary::bytes(&[("<s>", CONTROL), ("</s>", CONTROL)])
        .with("ggml.bos_token_id", Value::U32(256))
        .with("ggml.eos_token_id", Value::U32(257));
    let ids = |name, add: Option<bool>, prompt: &str| {
        let vocabulary = match add {
            Some(add) => vocabulary
                .clone()
                .with("ggml.add_bos_token", Value::Bool(add)),
            None => vocabulary.clone(),
        };
        let tokenizer = tokenizer(&vocabulary, name);
        assert_eq!(tokenizer.encode("a", Controls::Read).unwrap(), [97]);
        tokenizer.encode_prompt(prompt).unwrap()
    };
    assert_eq!(ids("gpt-2", None, "a"), [97]);
    assert_eq!(ids("gpt-2", Some(true), "a"), [256, 97]);
    assert_eq!(ids("gpt-2", Some(true), "<s>a"), [256, 97]);
    assert_eq!(ids("gpt-2", Some(true), ""), [256]);
    assert_eq!(ids("llama-bpe", None, "a"), [256, 97]);
    assert_eq!(ids("tekken", None, "a"), [256, 97]);
    assert_eq!(ids("llama-bpe", Some(false), "a"), [97]);
}
