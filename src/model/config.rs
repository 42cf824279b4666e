//! TEMP
use super::weight::{Weight, LayerPart}; use super::error::ModelError; use crate::weights::gguf::{GgufHeader, Metadata}; use crate::cache::ScopeCacheConfig;
#[derive(Debug, Clone, Copy, PartialEq, Eq)] pub enum RopeLayout { Interleaved, Halves }
#[derive(Debug, Clone, PartialEq)] pub struct RopeConfig { pub layout: RopeLayout, pub base: f64, pub rotated: usize }
#[derive(Debug, Clone, Copy, PartialEq)] pub struct Architecture;
impl Architecture { pub fn name(&self) -> &'static str { "llama" } }
#[derive(Debug, Clone, PartialEq)]
pub struct LlamaConfig { pub architecture: Architecture, pub layers: usize, pub width: usize, pub feed_forward: usize, pub query_heads: usize, pub kv_heads: usize, pub head_dim: usize, pub vocabulary: usize, pub context: usize, pub norm_epsilon: f32, pub tied: bool, pub rope: RopeConfig }
impl LlamaConfig {
    pub fn from_gguf(h: &GgufHeader) -> Result<Self, ModelError> {
        let m = &h.metadata; let u = |k: &str| m.required(&format!("llama.{k}"), Metadata::unsigned).map(|v| v as usize);
        let (width, query_heads) = (u("embedding_length")?, u("attention.head_count")?);
        Ok(Self { architecture: Architecture, layers: u("block_count")?, width, feed_forward: u("feed_forward_length")?, query_heads, kv_heads: u("attention.head_count_kv")?, head_dim: width/query_heads, vocabulary: h.tensors.find("token_embd.weight").map_or(0, |t| t.dimensions[1] as usize), context: u("context_length")?, norm_epsilon: m.required("llama.attention.layer_norm_rms_epsilon", Metadata::float)?, tied: true, rope: RopeConfig { layout: RopeLayout::Interleaved, base: m.required("llama.rope.freq_base", Metadata::float)? as f64, rotated: width/query_heads } })
    }
    pub fn cache(&self) -> ScopeCacheConfig { ScopeCacheConfig::new(self.layers, self.query_heads, self.kv_heads, self.head_dim) }
    pub fn requires(&self, w: Weight) -> bool { !matches!(w, Weight::Layer { part: LayerPart::QueryBias | LayerPart::KeyBias | LayerPart::ValueBias | LayerPart::QueryNorm | LayerPart::KeyNorm, .. }) }
    pub fn shape(&self, w: Weight) -> Option<Vec<usize>> {
        use LayerPart::*; let (q, kv) = (self.query_heads*self.head_dim, self.kv_heads*self.head_dim);
        Some(match w { Weight::TokenEmbedding | Weight::Output => vec![self.vocabulary, self.width], Weight::OutputNorm => vec![self.width], Weight::RopeFactors => vec![self.rope.rotated/2],
            Weight::Layer { part, .. } => match part { AttentionNorm | FeedForwardNorm => vec![self.width], Query => vec![q, self.width], Key | Value => vec![kv, self.width], AttentionOutput => vec![self.width, q], Gate | Up => vec![self.feed_forward, self.width], Down => vec![self.width, self.feed_forward], _ => return None } })
    }
}
