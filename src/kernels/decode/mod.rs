//! A decode step as a few fused kernels a layer, launched without burn: what is compiled, bound and allocated is so once,
//! and a step only records dispatches. `shaders/decode` has their code.
//!
//! | kernel | what it does |
//! | --- | --- |
//! | `embed` | the token's row of the embedding |
//! | `project_heads` | norm, queries, keys and values, RoPE; the new key and value go into their slots |
//! | `attend`, `combine` | attention over the cache, split over its length |
//! | `evict` | scores, and the slots that are emptied; only at steps at which the rule acts |
//! | `add_product` | output matrix and residual; down matrix and residual |
//! | `gate_up` | norm, gate and up, SiLU |
//! | `logits` | last norm and output matrix |
//! | `choose_parts`, `choose` | the likeliest token and its probability |
//!
//! The tensor operations of [`crate::cache`] and [`crate::model`] are what all of them together are tested against.

mod pipeline;
mod shader;
mod sizes;
mod step_words;
mod tuning;

pub use pipeline::{BoundKernel, DecodePipeline};
pub use shader::{MatrixText, Particular, Texts};
pub use sizes::{Activations, DecodeSizes, NONE, SPLIT};
pub use step_words::{LayerStep, RecentSlots, vectors as step_vectors, words as step_words};
pub use tuning::{ShaderAbilities, Tuning};
