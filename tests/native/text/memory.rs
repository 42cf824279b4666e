//! Memory of a large vocabulary, all of it freed at the end: measured with a counting allocator.

use kvscope::text::{Controls, Tokenizer};

use crate::support::counting::peak;
use crate::support::text::{CONTROL, Vocabulary, metadata};

/// As many tokens and merges as Qwen's: pairs of pairs of bytes.
fn large() -> Vocabulary {
    let mut vocabulary = Vocabulary::bytes(&[("<s>", CONTROL)]);
    let bytes: Vec<String> = vocabulary.tokens[..256].to_vec();
    let mut pairs = Vec::new();
    let add = |left: &str, right: &str, vocabulary: &mut Vocabulary| {
        let made = [left, right].concat();
        vocabulary.merges.push(format!("{left} {right}"));
        vocabulary.tokens.push(made.clone());
        vocabulary.types.push(1);
        made
    };
    for left in &bytes[33..113] {
        for right in &bytes[33..113] {
            pairs.push(add(left, right, &mut vocabulary));
        }
    }
    'all: for left in &pairs[..400] {
        for right in &pairs[1000..1400] {
            if vocabulary.tokens.len() == 151_936 {
                break 'all;
            }
            add(left, right, &mut vocabulary);
        }
    }
    vocabulary
}

#[test]
fn a_large_vocabulary_stays_within_what_a_tab_has() {
    let metadata = metadata(&large().gpt2("qwen2"));
    let mut tokenizer = None;
    let read = peak(|| tokenizer = Some(Tokenizer::from_gguf(&metadata).unwrap()));
    let tokenizer = tokenizer.unwrap();
    assert_eq!(tokenizer.vocabulary(), 151_936);
    let copy = peak(|| drop(Tokenizer::from_gguf(&metadata).unwrap()));
    let text = "aabb ccdd 1234 ".repeat(1000);
    let encode = peak(|| drop(tokenizer.encode(&text, Controls::AsText).unwrap()));
    eprintln!(
        "{read} at most while reading, {encode} for a text of {} bytes",
        text.len()
    );
    // On 64-bit machines, where what the library holds takes about twice what it takes in a
    // browser.
    assert!(read.max(copy) < 48 << 20, "{read} {copy}");
    assert!(encode < 400 * text.len(), "{encode}");
}

/// Nothing stays when a tokenizer is gone, not even of the words that it has seen.
#[test]
fn a_tokenizer_that_is_gone_leaves_nothing() {
    let metadata = metadata(&Vocabulary::bytes(&[]).merge("a", "b").gpt2("llama-bpe"));
    let used = || -> Vec<u32> {
        let tokenizer = Tokenizer::from_gguf(&metadata).unwrap();
        let words: Vec<String> = (0..2000).map(|word| format!("word{word}ab ")).collect();
        tokenizer.encode(&words.concat(), Controls::Read).unwrap()
    };
    // Once for what is made once.
    used();
    let one = peak(|| drop(used()));
    let twenty = peak(|| (0..20).for_each(|_| drop(used())));
    assert!(
        twenty < one + 1024,
        "{one} bytes for one, {twenty} for twenty"
    );
}
