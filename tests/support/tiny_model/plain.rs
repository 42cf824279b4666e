//! A tiny model as the plain computation takes it.

use super::TinyModel;
use super::sizes::Scaling;
use crate::support::plain_llama::{
    Matrix, PlainLayer, PlainLlama, Projection, Turning, frequencies,
};

impl TinyModel {
    pub fn plain(&self) -> PlainLlama {
        let sizes = &self.sizes;
        PlainLlama {
            head_dim: sizes.head_dim,
            epsilon: sizes.epsilon.into(),
            turning: Turning {
                frequencies: self.frequencies(),
                neighbours: sizes.architecture == "llama",
            },
            embedding: self.matrix("token_embd.weight"),
            layers: (0..sizes.layers).map(|layer| self.layer(layer)).collect(),
            norm: self.vector("output_norm.weight"),
            output: self
                .tensor("output.weight")
                .map(|tensor| self.matrix(&tensor.name)),
        }
    }

    fn frequencies(&self) -> Vec<f64> {
        let plain = self.sizes.plain_frequencies();
        match self.sizes.scaling {
            Scaling::None => plain,
            Scaling::Linear(factor) => frequencies::divided(&plain, &vec![factor; plain.len()]),
            Scaling::Llama3(_) => {
                let factors = &self.tensor("rope_freqs.weight").unwrap().elements;
                frequencies::divided(&plain, factors)
            }
        }
    }

    fn layer(&self, layer: usize) -> PlainLayer {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let projection = |part: &str| Projection {
            matrix: self.matrix(&name(&format!("{part}.weight"))),
            bias: self.optional(&name(&format!("{part}.bias"))),
            norm: self.optional(&name(&format!("{part}_norm.weight"))),
        };
        PlainLayer {
            attention_norm: self.vector(&name("attn_norm.weight")),
            query: projection("attn_q"),
            key: projection("attn_k"),
            value: projection("attn_v"),
            attention_output: self.matrix(&name("attn_output.weight")),
            feed_forward_norm: self.vector(&name("ffn_norm.weight")),
            gate: self.matrix(&name("ffn_gate.weight")),
            up: self.matrix(&name("ffn_up.weight")),
            down: self.matrix(&name("ffn_down.weight")),
        }
    }

    fn optional(&self, name: &str) -> Option<Vec<f64>> {
        let tensor = self.tensor(name)?;
        Some(tensor.elements.iter().map(|&it| it.into()).collect())
    }

    fn vector(&self, name: &str) -> Vec<f64> {
        self.optional(name).unwrap()
    }

    fn matrix(&self, name: &str) -> Matrix {
        let inputs = self.tensor(name).unwrap().shape[1];
        self.vector(name)
            .chunks_exact(inputs)
            .map(<[f64]>::to_vec)
            .collect()
    }
}
