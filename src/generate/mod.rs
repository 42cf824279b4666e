//! Generating: the prompt in chunks, then token after token until something ends it.
//!
//! [`Generation`] runs a model on a [`ScopeCache`](crate::cache::ScopeCache). [`GenerateConfig`] says how long and what ends
//! it, [`SamplingConfig`] how each token is chosen; [`Step`] is what is reported of each, [`Summary`] of them all.
//!
//! # The prompt in chunks
//!
//! A long prompt is given to the device in chunks of [`GenerateConfig::prefill_chunk`] tokens, and each is waited for
//! before the next: the device has no more than a chunk's work queued, progress is what is done and not what is asked for,
//! and between any two chunks the generation can be cancelled. Attention needs chunk × n scores at a time instead of n × n.
//! Only the last chunk's last token gives logits. Then every layer's cache is compressed, once, by its prefill method, which
//! gets what it scores by chunk after chunk:
//!
//! | method | what it needs | how it comes |
//! | --- | --- | --- |
//! | `full`, `streamingllm` | nothing | |
//! | `h2o`, `pyramidinfer` | for each slot, the attention of all queries, under the causal mask | each chunk's queries see the slots up to themselves, and what each slot gets is added to its score |
//! | `snapkv`, `pyramidkv` | the attention of the last α2 queries | the last α2 queries are kept from chunk to chunk, and attend once, after the last |
//!
//! A query sees the same slots in whatever chunk it comes, so the probabilities are the same; h2o's sums differ in the
//! order of additions only. That the retained sets and the logits are those of the whole prompt at once is tested for every
//! method in `tests/generate_chunks.rs`, and against recorded and plain implementations in the cache's own tests.
//!
//! # Steps
//!
//! A step runs the model on the token before, reads the logits back, and chooses; where the device chooses by itself, which
//! it does for greedy choices, only the token and its probability come back ([`StepDecoder`]). The last token chosen is never run: it is
//! in the text, but not in the cache, whose position is then that of the last token. A next turn's prompt begins with it.
//!
//! Under a bounded cache a generation may go on beyond the context that the model was made for: positions run on, a warning
//! is logged once, and steps and summary say so. Only a prompt that is too long by itself is refused.
//!
//! # Two at once
//!
//! A generation borrows its cache for itself; the model is shared. Several generations on caches of their own may take turns
//! step by step.

mod cancel;
mod config;
mod decoder;
mod error;
mod exp;
mod generation;
mod model;
mod prefill;
pub(crate) mod random;
mod sampler;
mod sampling;
mod setters;
mod step;
mod stop;

pub use cancel::Cancel;
pub use config::GenerateConfig;
pub use decoder::{Draw, InputToken, SampledToken, StepDecoder, StepOutput, StepRequest};
pub use error::GenerateError;
pub use generation::Generation;
pub use model::{LanguageModel, Spelling};
pub use sampler::{Sampled, Sampler};
pub use sampling::SamplingConfig;
pub use step::{CacheSlots, FinishReason, Step, Summary};
pub use stop::StopStrings;
