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
            if rest.is_empty() {
                return None;
            }
            let mut parts = self.parts();
            let (part, ..) = parts.find(|(_, gguf, other)| naming.of(gguf, other) == rest)?;
            Some(Weight::Layer { layer, part: *part })
        })
    }

    /// Name of a tensor.
    pub fn name(&self, naming: Naming, weight: Weight) -> Option<String> {
        let name = match weight {
            Weight::Layer { layer, part } => {
                let own = |part| {
                    let mut rows = self.parts().filter(move |(known, ..)| *known == part);
                    rows.find_map(|(_, gguf, other)| {
                        let name = naming.of(gguf, other);
                        (!name.is_empty()).then_some(name)
                    })
                };
                // A part of a joined tensor goes by the name of that.
                let mut all = LayerPart::ALL.into_iter();
                let whole = || own(all.find(|whole| whole.joins().contains(&part))?);
                let name = own(part).or_else(whole)?;
                format!("{}{layer}.{name}", naming.layer_prefix())
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
pub(super) const ENDS: [(Weight, &str, &str); 6] = [
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
    (Weight::ShortRopeFactors, "rope_factors_short.weight", ""),
    (Weight::LongRopeFactors, "rope_factors_long.weight", ""),
];

/// A layer with norms before attention and feed-forward.
#[rustfmt::skip]
pub(super) const LAYER: [(LayerPart, &str, &str); 9] = [
    NORMS_BEFORE[0], NORMS_BEFORE[1],
    ATTENTION[0], ATTENTION[1], ATTENTION[2], ATTENTION[3],
    GATED[0], GATED[1], GATED[2],
];

/// Attention's matrices.
#[rustfmt::skip]
pub(super) const ATTENTION: [(LayerPart, &str, &str); 4] = [
    (LayerPart::Query, "attn_q.weight", "self_attn.q_proj.weight"),
    (LayerPart::Key, "attn_k.weight", "self_attn.k_proj.weight"),
    (LayerPart::Value, "attn_v.weight", "self_attn.v_proj.weight"),
    (LayerPart::AttentionOutput, "attn_output.weight", "self_attn.o_proj.weight"),
];

/// The feed-forward's matrices.
pub(super) const GATED: [(LayerPart, &str, &str); 3] = [
    (LayerPart::Gate, "ffn_gate.weight", "mlp.gate_proj.weight"),
    (LayerPart::Up, "ffn_up.weight", "mlp.up_proj.weight"),
    (LayerPart::Down, "ffn_down.weight", "mlp.down_proj.weight"),
];

/// Norms before attention and feed-forward.
#[rustfmt::skip]
pub(super) const NORMS_BEFORE: [(LayerPart, &str, &str); 2] = [
    (LayerPart::AttentionNorm, "attn_norm.weight", "input_layernorm.weight"),
    (LayerPart::FeedForwardNorm, "ffn_norm.weight", "post_attention_layernorm.weight"),
];

/// Norms after attention and feed-forward.
#[rustfmt::skip]
pub(super) const NORMS_AFTER: [(LayerPart, &str, &str); 2] = [
    (LayerPart::AttentionPostNorm, "post_attention_norm.weight", "post_attention_layernorm.weight"),
    (LayerPart::FeedForwardPostNorm, "post_ffw_norm.weight", "post_feedforward_layernorm.weight"),
];

/// Norms before attention and feed-forward, in models with norms after them too.
#[rustfmt::skip]
pub(super) const NORMS_BEFORE_OTHERS: [(LayerPart, &str, &str); 2] = [
    (LayerPart::AttentionNorm, "attn_norm.weight", "input_layernorm.weight"),
    (LayerPart::FeedForwardNorm, "ffn_norm.weight", "pre_feedforward_layernorm.weight"),
];

/// Biases of all matrices of a layer. A model has any of them, or none.
#[rustfmt::skip]
pub(super) const BIASES: [(LayerPart, &str, &str); 7] = [
    (LayerPart::QueryBias, "attn_q.bias", "self_attn.q_proj.bias"),
    (LayerPart::KeyBias, "attn_k.bias", "self_attn.k_proj.bias"),
    (LayerPart::ValueBias, "attn_v.bias", "self_attn.v_proj.bias"),
    (LayerPart::OutputBias, "attn_output.bias", "self_attn.o_proj.bias"),
    (LayerPart::GateBias, "ffn_gate.bias", "mlp.gate_proj.bias"),
    (LayerPart::UpBias, "ffn_up.bias", "mlp.up_proj.bias"),
    (LayerPart::DownBias, "ffn_down.bias", "mlp.down_proj.bias"),
];

/// Norms of queries and keys.
#[rustfmt::skip]
pub(super) const QUERY_KEY_NORMS: [(LayerPart, &str, &str); 2] = [
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
                let names = NAMINGS.map(|naming| architecture.tensor_name(naming, weight));
                assert_ne!(names, [None, None]);
                for (naming, name) in NAMINGS.into_iter().zip(names) {
                    let Some(name) = name else {
                        continue;
                    };
                    let found = architecture.weight(naming, &name);
                    let is_joined = match (found, weight) {
                        (Some(Weight::Layer { part: whole, .. }), Weight::Layer { part, .. }) => {
                            whole.joins().contains(&part)
                        }
                        _ => false,
                    };
                    assert!(found == Some(weight) || is_joined, "{name}");
                }
            }
            let factors = architecture.weight(Naming::Gguf, "rope_freqs.weight");
            assert_eq!(factors, Some(Weight::RopeFactors));
            let none = architecture.tensor_name(Naming::HuggingFace, Weight::RopeFactors);
            assert_eq!(none, None);
        }
    }

    /// A layer's description has exactly the tensors that the files' names are known of. Biases are
    /// not looked at: any file may have some. A joined part goes by the names of what it joins.
    #[test]
    fn what_a_layer_has_is_named() {
        for architecture in Architecture::ALL {
            let layer = (architecture.spec().layer)(LayerSpec::llama(8, ROPE), 0);
            let is_known = |part| parts(architecture).any(|known| known == part);
            for part in LayerPart::ALL {
                let is_joined = part.joins().iter().all(|part| is_known(*part));
                if part.is_bias() || (!part.joins().is_empty() && is_joined) {
                    continue;
                }
                let whole = LayerPart::ALL
                    .into_iter()
                    .find(|it| it.joins().contains(&part));
                let named = is_known(part) || whole.is_some_and(is_known);
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
