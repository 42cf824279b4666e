//! Sizes of the tiny models: one per architecture, and one per feature in which files of an
//! architecture differ.

use rand_chacha::ChaCha8Rng;

use super::blocks;
use crate::support::plain_llama::frequencies::{self, Llama3};

#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// `general.architecture`, `model_type`.
    pub architecture: &'static str,
    pub layers: usize,
    pub width: usize,
    pub feed_forward: usize,
    pub query_heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub vocabulary: usize,
    pub context: usize,
    pub tied: bool,
    pub base: f32,
    pub rotated: usize,
    pub scaling: Scaling,
    /// Epsilon that RMSNorm adds to the mean square.
    pub epsilon: f32,
}

/// Scaling of RoPE's frequencies.
#[derive(Debug, Clone, Copy)]
pub enum Scaling {
    None,
    Linear(f32),
    /// Factors in GGUF files, numbers in `config.json`.
    Llama3(Llama3),
}

/// Every width is a multiple of the 256 elements of a K-quant's block.
pub const LLAMA: Sizes = Sizes {
    architecture: "llama",
    layers: 2,
    width: 256,
    feed_forward: 512,
    query_heads: 4,
    kv_heads: 2,
    head_dim: 64,
    vocabulary: 300,
    context: 128,
    tied: false,
    base: 10_000.0,
    rotated: 64,
    scaling: Scaling::None,
    epsilon: 1e-5,
};

pub const LLAMA_TIED: Sizes = Sizes {
    tied: true,
    base: 100_000.0,
    ..LLAMA
};

/// Wavelengths beyond 32 positions are long, those below 8 are short, so that a few positions tell.
pub const LLAMA_3: Sizes = Sizes {
    scaling: Scaling::Llama3(Llama3 {
        factor: 8.0,
        low: 1.0,
        high: 4.0,
        context: 32.0,
    }),
    ..LLAMA
};

pub const LLAMA_LINEAR: Sizes = Sizes {
    scaling: Scaling::Linear(4.0),
    ..LLAMA
};

/// Sizes that no kernel's groups divide, one KV head for all, and elements that are not turned.
pub const LLAMA_ODD: Sizes = Sizes {
    width: 50,
    feed_forward: 70,
    query_heads: 3,
    kv_heads: 1,
    head_dim: 10,
    vocabulary: 259,
    rotated: 6,
    ..LLAMA
};

pub const QWEN2: Sizes = Sizes {
    architecture: "qwen2",
    tied: true,
    base: 1_000_000.0,
    ..LLAMA
};

/// Its heads together are wider than its hidden state.
pub const QWEN3: Sizes = Sizes {
    architecture: "qwen3",
    head_dim: 128,
    rotated: 128,
    base: 1_000_000.0,
    ..LLAMA
};

impl Sizes {
    /// Names and shapes, from the models' papers.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let width = self.width;
        let (queries, keys) = (
            self.query_heads * self.head_dim,
            self.kv_heads * self.head_dim,
        );
        let mut tensors = vec![
            ("token_embd.weight".to_owned(), vec![self.vocabulary, width]),
            ("output_norm.weight".to_owned(), vec![width]),
        ];
        if !self.tied {
            tensors.push(("output.weight".to_owned(), vec![self.vocabulary, width]));
        }
        if matches!(self.scaling, Scaling::Llama3(_)) {
            tensors.push(("rope_freqs.weight".to_owned(), vec![self.rotated / 2]));
        }
        for layer in 0..self.layers {
            let mut add = |name: &str, shape: &[usize]| {
                tensors.push((format!("blk.{layer}.{name}"), shape.to_vec()));
            };
            add("attn_norm.weight", &[width]);
            add("attn_q.weight", &[queries, width]);
            add("attn_k.weight", &[keys, width]);
            add("attn_v.weight", &[keys, width]);
            add("attn_output.weight", &[width, queries]);
            if self.architecture == "qwen2" {
                add("attn_q.bias", &[queries]);
                add("attn_k.bias", &[keys]);
                add("attn_v.bias", &[keys]);
            }
            if self.architecture == "qwen3" {
                add("attn_q_norm.weight", &[self.head_dim]);
                add("attn_k_norm.weight", &[self.head_dim]);
            }
            add("ffn_norm.weight", &[width]);
            add("ffn_gate.weight", &[self.feed_forward, width]);
            add("ffn_up.weight", &[self.feed_forward, width]);
            add("ffn_down.weight", &[width, self.feed_forward]);
        }
        tensors
    }

    /// A vector's bytes: factors as they must be, biases around 0, norms around 1.
    pub fn vector(&self, name: &str, count: usize, random: &mut ChaCha8Rng) -> Vec<u8> {
        let factors = name == "rope_freqs.weight";
        let numbers: Vec<f32> = match self.scaling {
            Scaling::Llama3(llama3) if factors => {
                frequencies::llama3_factors(&self.plain_frequencies(), llama3)
            }
            _ if name.ends_with(".bias") => blocks::numbers(count, 1.0, random),
            _ => {
                let around = blocks::numbers(count, 0.5, random);
                around.iter().map(|number| 1.0 + number).collect()
            }
        };
        numbers.iter().flat_map(|it| it.to_le_bytes()).collect()
    }

    /// RoPE's frequencies without their scaling.
    pub fn plain_frequencies(&self) -> Vec<f64> {
        frequencies::plain(f64::from(self.base), self.rotated)
    }
}
