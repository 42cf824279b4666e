//! The Llama family as burn modules: RMSNorm, RoPE, grouped-query attention over a
//! [`ScopeCache`](crate::cache::ScopeCache), SwiGLU, tied or separate output.
//!
//! An [`Architecture`] describes its layers once, as [`LayerSpec`]s; these modules and the kernels
//! of [`crate::fused`] both go by that.
//!
//! Shapes are as burn has them, the dimension whose elements are neighbours last. A matrix stays in
//! the blocks of its file where the kernels run, see [`Matrix`]; everything else is f32.

mod architecture;
mod attention;
mod block;
mod config;
mod error;
mod feed_forward;
mod fingerprint;
mod llama;
mod load;
mod matrix;
mod norm;
mod rope;
mod rotation;
pub(crate) mod spec;
mod weight;

pub use architecture::{Architecture, Naming};
pub use attention::{Attention, Projection};
pub use block::Block;
pub use config::{LayerFacts, LlamaConfig};
pub use error::ModelError;
pub use feed_forward::FeedForward;
pub use fingerprint::Fingerprint;
pub use llama::{Llama, LogitRows};
pub use load::{LoadProgress, ModelLoader};
#[cfg(not(target_family = "wasm"))]
pub use load::{LoadedModel, load_model};
pub use matrix::Matrix;
pub use norm::RmsNorm;
pub use rope::{Rope, RopeConfig, RopeFactors, RopeLayout, RopeScaling};
pub use spec::{Activation, Biases, LayerSpec, NormPlaces, NormSpan, QueryGrowth};
pub use weight::{LayerPart, Weight};
