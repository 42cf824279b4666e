//! A tiny model as a GGUF file.

use super::sizes::Scaling;
use super::{TinyModel, tokenizer};
use crate::support::gguf_file::{GgufFile, Value};

impl TinyModel {
    /// With the keys that llama.cpp's converter writes, and a tokenizer.
    pub fn gguf(&self) -> GgufFile {
        tokenizer::with_tokenizer(self.gguf_without_tokenizer(), self.sizes.vocabulary)
    }

    /// With as many tokens as a test likes, none of which is spelt.
    pub fn gguf_without_tokenizer(&self) -> GgufFile {
        let sizes = &self.sizes;
        let mut file = GgufFile::new()
            .with("general.architecture", Value::text(sizes.architecture))
            .with("general.name", Value::text("tiny"));
        let mut add = |key: &str, value| {
            file.pairs
                .push((format!("{}.{key}", sizes.architecture), value));
        };
        let size = |size: usize| Value::U32(size as u32);
        add("block_count", size(sizes.layers));
        add("context_length", size(sizes.context));
        add("embedding_length", size(sizes.width));
        add("feed_forward_length", size(sizes.feed_forward));
        add("attention.head_count", size(sizes.query_heads));
        add("attention.head_count_kv", size(sizes.kv_heads));
        add(
            "attention.layer_norm_rms_epsilon",
            Value::F32(sizes.epsilon),
        );
        add("rope.freq_base", Value::F32(sizes.base));
        if sizes.head_dim * sizes.query_heads != sizes.width {
            add("attention.key_length", size(sizes.head_dim));
            add("attention.value_length", size(sizes.head_dim));
        }
        // The converter writes it for Llama alone; elsewhere whole heads are turned.
        if sizes.architecture == "llama" {
            add("rope.dimension_count", size(sizes.rotated));
        }
        if let Scaling::Linear(factor) = sizes.scaling {
            add("rope.scaling.type", Value::text("linear"));
            add("rope.scaling.factor", Value::F32(factor));
        }
        self.tensors.iter().fold(file, |file, tensor| {
            let dimensions: Vec<u64> = tensor.shape.iter().rev().map(|&it| it as u64).collect();
            let bytes = tensor.bytes.clone();
            file.with_tensor(&tensor.name, &dimensions, tensor.format.ggml_id(), bytes)
        })
    }
}
