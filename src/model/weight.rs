//! TEMP
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LayerPart { AttentionNorm, Query, Key, Value, QueryBias, KeyBias, ValueBias, QueryNorm, KeyNorm, AttentionOutput, FeedForwardNorm, Gate, Up, Down }
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight { TokenEmbedding, OutputNorm, Output, RopeFactors, Layer { layer: usize, part: LayerPart } }
impl Weight {
    pub fn from_gguf_name(name: &str) -> Option<Self> {
        use LayerPart::*;
        Some(match name {
            "token_embd.weight" => Self::TokenEmbedding, "output_norm.weight" => Self::OutputNorm, "output.weight" => Self::Output, "rope_freqs.weight" => Self::RopeFactors,
            _ => { let rest = name.strip_prefix("blk.")?; let (n, p) = rest.split_once('.')?;
                let part = match p { "attn_norm.weight" => AttentionNorm, "attn_q.weight" => Query, "attn_k.weight" => Key, "attn_v.weight" => Value, "attn_output.weight" => AttentionOutput, "ffn_norm.weight" => FeedForwardNorm, "ffn_gate.weight" => Gate, "ffn_up.weight" => Up, "ffn_down.weight" => Down, _ => return None };
                Self::Layer { layer: n.parse().ok()?, part } }
        })
    }
    pub fn gguf_name(self) -> String { format!("{self:?}") }
}
