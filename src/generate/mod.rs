//! Generating: the prompt in chunks, then token after token until something ends it.
//!
//! [`Generation`] runs a model on a [`ScopeCache`](crate::cache::ScopeCache). [`GenerateConfig`]
//! bounds its length and its end, [`SamplingConfig`] chooses its tokens. [`Step`] reports each token,
//! [`Summary`] all of them.
//!
//! # The prompt in chunks
//!
//! A long prompt goes to the device in chunks of [`GenerateConfig::prefill_chunk`] tokens. Each chunk
//! is waited for before the next one: the device has at most one chunk's work queued, progress counts
//! what is done, and the generation can be cancelled between chunks. Attention needs chunk × n scores
//! at a time instead of n × n. Only the last chunk's last token gives logits. Then every layer's cache
//! is compressed, once, by its prefill method. Its evidence has been gathered chunk by chunk:
//!
//! | method | evidence | gathered |
//! | --- | --- | --- |
//! | `full`, `streamingllm` | none | |
//! | `h2o`, `pyramidinfer` | causal attention of all queries per slot | each chunk adds that of its queries |
//! | `snapkv`, `pyramidkv` | attention of the last α2 queries | these are kept, and attend once, at the end |
//!
//! A query sees the same slots in whatever chunk it comes, so the probabilities are the same. The sums
//! of `h2o` differ in the order of additions only. Tests compare the retained sets and the logits of
//! every method with those of the whole prompt at once.
//!
//! # Steps
//!
//! A step runs the model on the last token, reads the logits back, and chooses. With a
//! [`StepDecoder`] the device chooses, and only the token and its probability come back. The last
//! token chosen is never run: it is in the text, but not in the cache, whose position is then that of
//! the last token. A next turn's prompt begins with it.
//!
//! Under a bounded cache a generation may go on beyond the context that the model was trained for.
//! Positions run on, a warning is logged once, and steps and summary say so. Only a prompt that is too
//! long by itself is refused.
//!
//! # Two at once
//!
//! A generation borrows its cache exclusively; the model is shared. Several generations on caches of
//! their own may take turns step by step.

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
pub use decoder::{
    Choice, DecoderFactory, Draw, InputToken, PendingToken, StepDecoder, StepRequest,
};
pub use error::GenerateError;
pub use generation::Generation;
pub use model::{LanguageModel, Spelling};
pub use sampler::{SampledToken, Sampler};
pub use sampling::SamplingConfig;
pub use step::{CacheSlots, FinishReason, Step, Summary};
pub use stop::StopStrings;
