//! The model as a GGUF file: `llama`, with its tokenizer inside.

use anyhow::{Context, Result};
use burn::module::Param;
use burn::tensor::Tensor;

use crate::gguf_file::{GgufFile, Value};
use crate::model::Model;
use crate::q8_0::quantise;
use crate::shape::Shape;
use crate::vocabulary::{self, BOS, EOS, MARKS, UNKNOWN};

/// Whole messages, one after the other: a prompt needs nothing else.
const TEMPLATE: &str =
    "{{ bos_token }}{% for message in messages %}{{ message.content }}{% endfor %}";
/// Types of tokens.
const NORMAL: i32 = 1;
const MARK_TYPES: [i32; MARKS.len()] = [2, 3, 3];
/// Numbers of types in GGUF files: of the elements of arrays, and of tensors.
const I32: u32 = 5;
const F32: u32 = 6;
const Q8_0: u32 = 8;

/// The file.
pub fn write_model(shape: &Shape, model: &Model) -> Result<Vec<u8>> {
    let mut file = GgufFile::new();
    file.pairs.extend(named(sizes(shape)));
    file.pairs.extend(named(tokenizer()));

    // The embedding has one row per token already; the other matrices are transposed for the file.
    file = matrix(file, "token_embd.weight", model.embedding.val())?;
    file = vector(file, "output_norm.weight", &model.norm)?;
    file = matrix(file, "output.weight", model.output.val().transpose())?;
    for (number, layer) in model.layers.iter().enumerate() {
        let name = |part: &str| format!("blk.{number}.{part}.weight");
        file = vector(file, &name("attn_norm"), &layer.attention_norm)?;
        file = vector(file, &name("ffn_norm"), &layer.feed_forward_norm)?;
        // Heads rotate neighbouring pairs, as in files: no row changes its place.
        for (part, weight) in [
            ("attn_q", &layer.query),
            ("attn_k", &layer.key),
            ("attn_v", &layer.value),
            ("attn_output", &layer.output),
            ("ffn_gate", &layer.gate),
            ("ffn_up", &layer.up),
            ("ffn_down", &layer.down),
        ] {
            file = matrix(file, &name(part), weight.val().transpose())?;
        }
    }
    Ok(file.bytes())
}

fn named<const N: usize>(pairs: [(&str, Value); N]) -> impl Iterator<Item = (String, Value)> {
    pairs
        .map(|(key, value)| (key.to_owned(), value))
        .into_iter()
}

fn sizes(shape: &Shape) -> [(&'static str, Value); 13] {
    let number = |number: usize| Value::U32(number as u32);
    let float = |number: f64| Value::F32(number as f32);
    [
        ("general.architecture", Value::text("llama")),
        ("general.name", Value::text("trace")),
        ("general.license", Value::text("MIT OR Apache-2.0")),
        ("general.file_type", number(7)),
        ("llama.block_count", number(shape.layers)),
        ("llama.context_length", number(shape.context)),
        ("llama.embedding_length", number(shape.width)),
        ("llama.feed_forward_length", number(shape.feed_forward)),
        ("llama.attention.head_count", number(shape.query_heads)),
        ("llama.attention.head_count_kv", number(shape.kv_heads)),
        (
            "llama.attention.layer_norm_rms_epsilon",
            float(shape.norm_epsilon),
        ),
        ("llama.rope.dimension_count", number(shape.head_dim)),
        ("llama.rope.freq_base", float(shape.rope_base)),
    ]
}

fn tokenizer() -> [(&'static str, Value); 12] {
    let spellings: Vec<String> = vocabulary::spellings().collect();
    let spellings: Vec<&str> = spellings.iter().map(String::as_str).collect();
    let count = spellings.len();
    let types = MARK_TYPES.into_iter().chain(std::iter::repeat(NORMAL));
    let types = types.take(count).map(Value::I32).collect();
    [
        ("llama.vocab_size", Value::U32(count as u32)),
        ("tokenizer.ggml.model", Value::text("llama")),
        (
            "tokenizer.ggml.scores",
            Value::Array(F32, vec![Value::F32(0.0); count]),
        ),
        ("tokenizer.ggml.token_type", Value::Array(I32, types)),
        ("tokenizer.ggml.tokens", Value::texts(&spellings)),
        ("tokenizer.ggml.bos_token_id", Value::U32(BOS)),
        ("tokenizer.ggml.eos_token_id", Value::U32(EOS)),
        ("tokenizer.ggml.unknown_token_id", Value::U32(UNKNOWN)),
        ("tokenizer.ggml.add_bos_token", Value::Bool(true)),
        ("tokenizer.ggml.add_eos_token", Value::Bool(false)),
        ("tokenizer.ggml.add_space_prefix", Value::Bool(false)),
        ("tokenizer.chat_template", Value::text(TEMPLATE)),
    ]
}

/// Adds a vector, in 32-bit floats.
fn vector(file: GgufFile, name: &str, weight: &Param<Tensor<1>>) -> Result<GgufFile> {
    Ok(file.with_floats(name, &elements(weight.val())?))
}

/// Adds a matrix `[rows, width]`, in Q8_0.
fn matrix(file: GgufFile, name: &str, rows: Tensor<2>) -> Result<GgufFile> {
    let [height, width] = rows.dims();
    // The first dimension is the one whose elements are neighbours.
    let dimensions = [width as u64, height as u64];
    Ok(file.with_tensor(name, &dimensions, Q8_0, quantise(&elements(rows)?)))
}

fn elements<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let data = tensor.into_data().try_into_vec::<f32>();
    data.ok().context("a weight that is not of 32-bit floats")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_begins_with_its_counts_and_data_is_aligned() {
        let file = GgufFile::new()
            .with("a", Value::U32(7))
            .with_floats("v", &[1.0, 2.0])
            .with_floats("w", &[3.0])
            .bytes();
        let mut head = b"GGUF\x03\0\0\0".to_vec();
        head.extend([2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(file[..24], head);
        assert_eq!(file[file.len() - 64..][..8], [0, 0, 128, 63, 0, 0, 0, 64]);
        assert_eq!(file[file.len() - 32..][..4], 3.0_f32.to_le_bytes());
    }
}
