//! The model as a GGUF file: `llama`, with its tokenizer inside.

use anyhow::{Context, Result};
use burn::module::Param;
use burn::tensor::Tensor;

use crate::gguf::GgufWriter;
use crate::model::Model;
use crate::shape::Shape;
use crate::vocabulary::{self, BOS, EOS, MARKS, UNKNOWN};

/// Whole messages, one after the other: a prompt says all there is to say.
const TEMPLATE: &str =
    "{{ bos_token }}{% for message in messages %}{{ message.content }}{% endfor %}";
/// Types of tokens.
const NORMAL: i32 = 1;
const MARK_TYPES: [i32; MARKS.len()] = [2, 3, 3];

/// The file.
pub fn write_model(shape: &Shape, model: &Model) -> Result<Vec<u8>> {
    let mut file = GgufWriter::default();
    put_sizes(&mut file, shape);
    put_tokenizer(&mut file);

    // The embedding has a row a token already; the other matrices are the transposed of what the file has.
    file.matrix(
        "token_embd.weight",
        &elements(model.embedding.val())?,
        shape.width,
    );
    file.vector("output_norm.weight", &elements(model.norm.val())?);
    put_transposed(&mut file, "output.weight", &model.output)?;
    for (number, layer) in model.layers.iter().enumerate() {
        let name = |part: &str| format!("blk.{number}.{part}.weight");
        file.vector(&name("attn_norm"), &elements(layer.attention_norm.val())?);
        file.vector(&name("ffn_norm"), &elements(layer.feed_forward_norm.val())?);
        // Heads are turned pair by pair of neighbours, as they are in files: no row changes its place.
        for (part, matrix) in [
            ("attn_q", &layer.query),
            ("attn_k", &layer.key),
            ("attn_v", &layer.value),
            ("attn_output", &layer.output),
            ("ffn_gate", &layer.gate),
            ("ffn_up", &layer.up),
            ("ffn_down", &layer.down),
        ] {
            put_transposed(&mut file, &name(part), matrix)?;
        }
    }
    Ok(file.into_bytes())
}

fn put_sizes(file: &mut GgufWriter, shape: &Shape) {
    file.string("general.architecture", "llama");
    file.string("general.name", "trace");
    file.string("general.license", "MIT OR Apache-2.0");
    file.u32("general.file_type", 7);
    file.u32("llama.block_count", shape.layers);
    file.u32("llama.context_length", shape.context);
    file.u32("llama.embedding_length", shape.width);
    file.u32("llama.feed_forward_length", shape.feed_forward);
    file.u32("llama.attention.head_count", shape.query_heads);
    file.u32("llama.attention.head_count_kv", shape.kv_heads);
    file.f32("llama.attention.layer_norm_rms_epsilon", shape.norm_epsilon);
    file.u32("llama.rope.dimension_count", shape.head_dim);
    file.f32("llama.rope.freq_base", shape.rope_base);
    file.u32("llama.vocab_size", shape.vocabulary);
}

fn put_tokenizer(file: &mut GgufWriter) {
    let tokens: Vec<String> = vocabulary::spellings().collect();
    let mut types = MARK_TYPES.to_vec();
    types.resize(tokens.len(), NORMAL);
    file.string("tokenizer.ggml.model", "llama");
    file.f32s("tokenizer.ggml.scores", &vec![0.0; tokens.len()]);
    file.i32s("tokenizer.ggml.token_type", &types);
    file.strings("tokenizer.ggml.tokens", &tokens);
    file.u32("tokenizer.ggml.bos_token_id", BOS as usize);
    file.u32("tokenizer.ggml.eos_token_id", EOS as usize);
    file.u32("tokenizer.ggml.unknown_token_id", UNKNOWN as usize);
    file.bool("tokenizer.ggml.add_bos_token", true);
    file.bool("tokenizer.ggml.add_eos_token", false);
    file.bool("tokenizer.ggml.add_space_prefix", false);
    file.string("tokenizer.chat_template", TEMPLATE);
}

fn put_transposed(file: &mut GgufWriter, name: &str, matrix: &Param<Tensor<2>>) -> Result<()> {
    let rows = matrix.val().transpose();
    let [_, width] = rows.dims();
    file.matrix(name, &elements(rows)?, width);
    Ok(())
}

fn elements<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let data = tensor.into_data().try_into_vec::<f32>();
    data.ok().context("a weight that is not of 32-bit floats")
}
