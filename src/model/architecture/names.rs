//! Names of tensors in files, and tables of those that architectures share.

use crate::model::weight::{LayerPart, Weight};

/// Convention of tensor names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// llama.cpp's, in GGUF files.
    Gguf,
    /// transformers', in safetensors files.
    HuggingFace,
}

/// Names of an architecture's tensors: per row a role, its GGUF name and its Hugging Face name. An
/// empty name is none.
pub(in crate::model) struct TensorNames {
    /// Tensors that are in no layer.
    pub ends: &'static [(Weight, &'static str, &'static str)],
    /// Tensors of a layer, after its number.
    pub layer: &'static [&'static [(LayerPart, &'static str, &'static str)]],
}

impl TensorNames {
    /// Role of the tensor that is called `name`.
    pub fn weight(&self, naming: Naming, name: &str) -> Option<Weight> {
        if name.is_empty() {
            return None;
        }
        let mut ends = self.ends.iter();
        let end = ends.find(|(_, gguf, other)| naming.of(gguf, other) == name);
        end.map(|(weight, ..)| *weight).or_else(|| {
            let (layer, rest) = numbered(name, naming.layer_prefix())?;
            let mut parts = self.parts();
            let (part, ..) = parts.find(|(_, gguf, other)| naming.of(gguf, other) == rest)?;
            Some(Weight::Layer { layer, part: *part })
        })
    }

    /// Name of a tensor.
    pub fn name(&self, naming: Naming, weight: Weight) -> Option<String> {
        let name = match weight {
            Weight::Layer { layer, part } => {
                let (_, gguf, other) = self.parts().find(|(known, ..)| *known == part)?;
                let prefix = naming.layer_prefix();
                format!("{prefix}{layer}.{}", naming.of(gguf, other))
            }
            end => {
                let (_, gguf, other) = self.ends.iter().find(|(known, ..)| *known == end)?;
                naming.of(gguf, other).to_owned()
            }
        };
        (!name.is_empty()).then_some(name)
    }

    fn parts(&self) -> impl Iterator<Item = &(LayerPart, &'static str, &'static str)> {
        self.layer.iter().copied().flatten()
    }
}

impl Naming {
    fn of<'a>(self, gguf: &'a str, hugging_face: &'a str) -> &'a str {
        match self {
            Self::Gguf => gguf,
            Self::HuggingFace => hugging_face,
        }
    }

    fn layer_prefix(self) -> &'static str {
        self.of("blk.", "model.layers.")
    }
}

/// Outside of layers. Hugging Face models keep no rotary factors as a tensor.
pub(super) const ENDS: [(Weight, &str, &str); 4] = [
    (
        Weight::TokenEmbedding,
        "token_embd.weight",
        "model.embed_tokens.weight",
    ),
    (
        Weight::OutputNorm,
        "output_norm.weight",
        "model.norm.weight",
    ),
    (Weight::Output, "output.weight", "lm_head.weight"),
    (Weight::RopeFactors, "rope_freqs.weight", ""),
];

/// A layer with norms before attention and feed-forward.
#[rustfmt::skip]
pub(super) const LAYER: [(LayerPart, &str, &str); 9] = [
    (LayerPart::AttentionNorm, "attn_norm.weight", "input_layernorm.weight"),
    (LayerPart::Query, "attn_q.weight", "self_attn.q_proj.weight"),
    (LayerPart::Key, "attn_k.weight", "self_attn.k_proj.weight"),
    (LayerPart::Value, "attn_v.weight", "self_attn.v_proj.weight"),
    (LayerPart::AttentionOutput, "attn_output.weight", "self_attn.o_proj.weight"),
    (LayerPart::FeedForwardNorm, "ffn_norm.weight", "post_attention_layernorm.weight"),
    (LayerPart::Gate, "ffn_gate.weight", "mlp.gate_proj.weight"),
    (LayerPart::Up, "ffn_up.weight", "mlp.up_proj.weight"),
    (LayerPart::Down, "ffn_down.weight", "mlp.down_proj.weight"),
];

/// Biases of queries, keys and values.
pub(super) const BIASES: [(LayerPart, &str, &str); 3] = [
    (LayerPart::QueryBias, "attn_q.bias", "self_attn.q_proj.bias"),
    (LayerPart::KeyBias, "attn_k.bias", "self_attn.k_proj.bias"),
    (LayerPart::ValueBias, "attn_v.bias", "self_attn.v_proj.bias"),
];

/// Norms of queries and keys, head by head.
#[rustfmt::skip]
pub(super) const HEAD_NORMS: [(LayerPart, &str, &str); 2] = [
    (LayerPart::QueryNorm, "attn_q_norm.weight", "self_attn.q_norm.weight"),
    (LayerPart::KeyNorm, "attn_k_norm.weight", "self_attn.k_norm.weight"),
];

/// `7` and `rest` of `prefix` + `7.rest`, if the number is written as a program would.
fn numbered<'a>(name: &'a str, prefix: &str) -> Option<(usize, &'a str)> {
    let (number, rest) = name.strip_prefix(prefix)?.split_once('.')?;
    let layer: usize = number.parse().ok()?;
    (layer.to_string() == number).then_some((layer, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::architecture::Architecture;
    use crate::model::spec::LayerSpec;
    use crate::model::spec::tests::ROPE;

    const NAMINGS: [Naming; 2] = [Naming::Gguf, Naming::HuggingFace];
    const NAMED: [Weight; 3] = [Weight::TokenEmbedding, Weight::OutputNorm, Weight::Output];

    fn parts(architecture: Architecture) -> impl Iterator<Item = LayerPart> {
        architecture.spec().tensors.parts().map(|(part, ..)| *part)
    }

    #[test]
    fn names_go_there_and_back() {
        for architecture in Architecture::ALL {
            let layers = parts(architecture).map(|part| Weight::Layer { layer: 12, part });
            for weight in layers.chain(NAMED) {
                for naming in NAMINGS {
                    let name = architecture.tensor_name(naming, weight).unwrap();
                    assert_eq!(architecture.weight(naming, &name), Some(weight), "{name}");
                }
            }
            let factors = architecture.weight(Naming::Gguf, "rope_freqs.weight");
            assert_eq!(factors, Some(Weight::RopeFactors));
            let none = architecture.tensor_name(Naming::HuggingFace, Weight::RopeFactors);
            assert_eq!(none, None);
        }
    }

    /// A layer's description has exactly the tensors that the files' names are known of.
    #[test]
    fn what_a_layer_has_is_named() {
        for architecture in Architecture::ALL {
            let layer = (architecture.spec().layer)(LayerSpec::llama(8, ROPE), 0);
            for part in LayerPart::ALL {
                let named = parts(architecture).any(|known| known == part);
                assert_eq!(named, part.is_in(&layer), "{architecture:?}, {part:?}");
            }
        }
    }

    #[test]
    fn other_names_are_nobodys() {
        for name in [
            "",
            "blk.0",
            "blk.0.",
            "blk.0.attn_q",
            "blk.00.attn_q.weight",
            "blk.+1.attn_q.weight",
            "blk.99999999999999999999.attn_q.weight",
            "blk.0.ffn_gate_exps.weight",
            "model.layers.0.",
        ] {
            for (architecture, naming) in [
                (Architecture::Llama, Naming::Gguf),
                (Architecture::Qwen2, Naming::HuggingFace),
                (Architecture::Qwen3, Naming::Gguf),
            ] {
                assert_eq!(architecture.weight(naming, name), None, "{name}");
            }
        }
    }
}
