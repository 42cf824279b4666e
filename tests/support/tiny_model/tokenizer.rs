//! A byte-level BPE tokenizer for tiny models: a token for every byte, three control tokens, then
//! merges.

use crate::support::gguf_file::{GgufFile, Value};

/// `<|endoftext|>`, `<|im_start|>`, `<|im_end|>` come after the bytes.
pub const END_OF_TEXT: u32 = 256;
const CONTROLS: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
const TEMPLATE: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + \
    message['content'] + '<|im_end|>\\n' }}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// Adds a tokenizer of `vocabulary` tokens to a file's metadata.
pub fn with_tokenizer(file: GgufFile, vocabulary: usize) -> GgufFile {
    let bytes = (0..=255).map(|byte| spelt(byte).to_string());
    let consonants = "bcdfghklmnprstvw".chars();
    let pairs: Vec<[char; 2]> = consonants
        .flat_map(|consonant| "aeiou".chars().map(move |vowel| [consonant, vowel]))
        .take(vocabulary.checked_sub(256 + CONTROLS.len()).unwrap())
        .collect();
    let tokens: Vec<String> = bytes
        .chain(CONTROLS.map(str::to_owned))
        .chain(pairs.iter().map(|pair| pair.iter().collect()))
        .collect();
    assert_eq!(tokens.len(), vocabulary);
    let merges: Vec<String> = pairs.iter().map(|[a, b]| format!("{a} {b}")).collect();
    // 1 is a normal token, 3 a control token.
    let types = (0..vocabulary).map(|token| match token {
        256..259 => Value::I32(3),
        _ => Value::I32(1),
    });
    let texts = |texts: Vec<String>| Value::Array(8, texts.into_iter().map(Value::Text).collect());
    file.with("tokenizer.ggml.model", Value::text("gpt2"))
        .with("tokenizer.ggml.pre", Value::text("smollm"))
        .with("tokenizer.ggml.tokens", texts(tokens))
        .with(
            "tokenizer.ggml.token_type",
            Value::Array(5, types.collect()),
        )
        .with("tokenizer.ggml.merges", texts(merges))
        .with("tokenizer.ggml.bos_token_id", Value::U32(END_OF_TEXT))
        .with("tokenizer.ggml.eos_token_id", Value::U32(END_OF_TEXT + 2))
        .with("tokenizer.chat_template", Value::text(TEMPLATE))
}

/// The character for a byte in GPT-2's vocabulary: itself if it is visible, else the next from 256
/// on.
fn spelt(byte: u8) -> char {
    let seen = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    if seen(&byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|byte| !seen(byte)).count() as u32;
    char::from_u32(256 + before).unwrap()
}
