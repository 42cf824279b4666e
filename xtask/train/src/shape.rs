//! The model's sizes.

/// Sizes and constants of a model.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub vocabulary: usize,
    pub layers: usize,
    /// Layers after which the hints are predicted.
    pub hint_layers: usize,
    pub width: usize,
    pub feed_forward: usize,
    pub query_heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    /// Positions of the model's context. Programs of 48 lines take 747.
    pub context: usize,
    pub rope_base: f64,
    pub norm_epsilon: f64,
}

impl Shape {
    /// The published model.
    pub fn trace() -> Self {
        Self {
            vocabulary: crate::vocabulary::size(),
            layers: 4,
            hint_layers: 2,
            width: 128,
            feed_forward: 256,
            query_heads: 4,
            kv_heads: 2,
            head_dim: 32,
            context: 1024,
            rope_base: 10_000.0,
            norm_epsilon: 1e-5,
        }
    }
}
