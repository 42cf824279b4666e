//! The tensors of a model and what files call them.

/// One tensor's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    /// `[vocabulary, width]`
    TokenEmbedding,
    /// `[width]`
    OutputNorm,
    /// `[vocabulary, width]`, where the embedding does not serve.
    Output,
    /// `[pairs]`: what the rotary frequencies are divided by, in files of Llama 3.1 and later.
    RopeFactors,
    /// One of a layer's.
    Layer {
        /// The layer, from 0.
        layer: usize,
        /// Which of its tensors.
        part: LayerPart,
    },
}

/// The role of one of a layer's tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(
    missing_docs,
    reason = "the names say it; shapes are `LlamaConfig::shape`'s"
)]
pub enum LayerPart {
    AttentionNorm,
    Query,
    Key,
    Value,
    QueryBias,
    KeyBias,
    ValueBias,
    QueryNorm,
    KeyNorm,
    AttentionOutput,
    FeedForwardNorm,
    Gate,
    Up,
    Down,
}

/// Names in a GGUF file (after `blk.N.`) and in a Hugging Face one (after `model.layers.N.`).
const PARTS: [(LayerPart, &str, &str); 14] = {
    use LayerPart::*;
    [
        (AttentionNorm, "attn_norm.weight", "input_layernorm.weight"),
        (Query, "attn_q.weight", "self_attn.q_proj.weight"),
        (Key, "attn_k.weight", "self_attn.k_proj.weight"),
        (Value, "attn_v.weight", "self_attn.v_proj.weight"),
        (QueryBias, "attn_q.bias", "self_attn.q_proj.bias"),
        (KeyBias, "attn_k.bias", "self_attn.k_proj.bias"),
        (ValueBias, "attn_v.bias", "self_attn.v_proj.bias"),
        (QueryNorm, "attn_q_norm.weight", "self_attn.q_norm.weight"),
        (KeyNorm, "attn_k_norm.weight", "self_attn.k_norm.weight"),
        (
            AttentionOutput,
            "attn_output.weight",
            "self_attn.o_proj.weight",
        ),
        (
            FeedForwardNorm,
            "ffn_norm.weight",
            "post_attention_layernorm.weight",
        ),
        (Gate, "ffn_gate.weight", "mlp.gate_proj.weight"),
        (Up, "ffn_up.weight", "mlp.up_proj.weight"),
        (Down, "ffn_down.weight", "mlp.down_proj.weight"),
    ]
};

/// The same of the tensors that are in no layer; Hugging Face keeps no rotary factors as a tensor.
const ENDS: [(Weight, &str, &str); 4] = [
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

impl LayerPart {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        PARTS.into_iter().map(|(part, _, _)| part)
    }
}

impl Weight {
    /// The role of a GGUF file's tensor.
    pub fn from_gguf_name(name: &str) -> Option<Self> {
        let end = ENDS.iter().find(|(_, gguf, _)| *gguf == name);
        end.map(|(weight, _, _)| *weight).or_else(|| {
            let (layer, rest) = numbered(name, "blk.")?;
            let (part, _, _) = PARTS.iter().find(|(_, gguf, _)| *gguf == rest)?;
            Some(Self::Layer { layer, part: *part })
        })
    }

    /// The role of a Hugging Face model's tensor.
    pub fn from_hugging_face_name(name: &str) -> Option<Self> {
        let end = ENDS
            .iter()
            .find(|(_, _, other)| *other == name && !name.is_empty());
        end.map(|(weight, _, _)| *weight).or_else(|| {
            let (layer, rest) = numbered(name, "model.layers.")?;
            let (part, _, _) = PARTS.iter().find(|(_, _, other)| *other == rest)?;
            Some(Self::Layer { layer, part: *part })
        })
    }

    /// Its name in a GGUF file.
    pub fn gguf_name(self) -> String {
        self.name(|gguf, _| gguf, "blk.")
    }

    /// Its name in a Hugging Face model; empty for [`RopeFactors`](Self::RopeFactors).
    pub fn hugging_face_name(self) -> String {
        self.name(|_, other| other, "model.layers.")
    }

    fn name(
        self,
        which: impl Fn(&'static str, &'static str) -> &'static str,
        prefix: &str,
    ) -> String {
        match self {
            Self::Layer { layer, part } => {
                let named = PARTS.iter().find(|(known, _, _)| *known == part);
                let name = named.map_or("", |(_, gguf, other)| which(gguf, other));
                format!("{prefix}{layer}.{name}")
            }
            end => {
                let named = ENDS.iter().find(|(known, _, _)| *known == end);
                named
                    .map_or("", |(_, gguf, other)| which(gguf, other))
                    .to_owned()
            }
        }
    }
}

/// `7` and `rest` of `prefix` + `7.rest`, if the number is written as a program would.
fn numbered<'a>(name: &'a str, prefix: &str) -> Option<(usize, &'a str)> {
    let (number, rest) = name.strip_prefix(prefix)?.split_once('.')?;
    let layer: usize = number.parse().ok()?;
    (layer.to_string() == number).then_some((layer, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        let layers = LayerPart::all().map(|part| Weight::Layer { layer: 12, part });
        let ends = [Weight::TokenEmbedding, Weight::OutputNorm, Weight::Output];
        for weight in layers.chain(ends) {
            assert_eq!(Weight::from_gguf_name(&weight.gguf_name()), Some(weight));
            let name = weight.hugging_face_name();
            assert_eq!(Weight::from_hugging_face_name(&name), Some(weight));
        }
        let factors = Weight::from_gguf_name("rope_freqs.weight");
        assert_eq!(factors, Some(Weight::RopeFactors));
    }

    #[test]
    fn other_names_are_nobodys() {
        for name in [
            "",
            "blk.0",
            "blk.0.attn_q",
            "blk.00.attn_q.weight",
            "blk.+1.attn_q.weight",
            "blk.99999999999999999999.attn_q.weight",
            "blk.0.ffn_gate_exps.weight",
        ] {
            assert_eq!(Weight::from_gguf_name(name), None, "{name}");
            assert_eq!(Weight::from_hugging_face_name(name), None, "{name}");
        }
    }
}
