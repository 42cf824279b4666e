//! Generation: the prompt in chunks, then token after token until something ends it.
//!
//! [`Generation`] runs a model on a [`ScopeCache`](crate::cache::ScopeCache). [`GenerateConfig`]
//! sets its length and its end, [`SamplingConfig`] the choice of each token. [`Step`] reports one
//! token, [`Summary`] all of them.
//!
//! # The prompt in chunks
//!
//! A long prompt is given to the device in chunks of [`GenerateConfig::prefill_chunk`] tokens; each
//! is waited for before the next. The device then never has more than one chunk queued. Progress
//! counts completed work, and a generation can be cancelled between chunks. Attention needs chunk ×
//! n scores at a time instead of n × n. Only the last chunk's last token gives logits. Then the
//! prefill method compresses every layer's cache, once, by its [`Score`](crate::policy::Score),
//! gathered chunk after chunk:
//!
//! - By position: nothing is gathered.
//! - By the attention of [every query](crate::policy::Queries::Every), under the causal mask. Each
//!   chunk's queries see the slots up to themselves, and add to the slots' scores.
//! - By the attention of [the window's queries](crate::policy::Queries::Window). The last α2
//!   queries are kept from chunk to chunk, and attend once, after the last.
//!
//! A query sees the same slots in whatever chunk it comes, so the probabilities are the same. Only
//! the order of additions in h2o's sums differs. `tests/native/generate/chunks.rs` tests for every
//! method that retained sets and logits are those of the whole prompt at once. The cache's own
//! tests compare with recorded and plain implementations.
//!
//! # Steps
//!
//! A step runs the model on the previous token, reads the logits back, and chooses. A device that
//! chooses by itself, as for greedy choices, gives back only the token and its probability
//! ([`StepDecoder`]). The last token chosen is never run. It is in the text, but not in the cache,
//! whose position is that of the last token. A next turn's prompt begins with it.
//!
//! Under a bounded cache a generation may go on beyond the model's context. Positions run on, a
//! warning is logged once, and steps and summary say so. Only a prompt that is too long by itself
//! is refused.
//!
//! # Concurrent generations
//!
//! A generation borrows its cache exclusively; the model is shared. Several generations on caches
//! of their own may take turns step by step.

mod cancel;
mod config;
mod decoder;
mod error;
mod exp;
mod generation;
mod model;
mod options;
mod prefill;
pub(crate) mod random;
mod sampler;
mod sampling;
mod step;
mod stop;

pub use cancel::Cancel;
pub use config::{GenerateConfig, LogitBias, MOST_LOGPROBS};
pub use decoder::{
    Choice, DecoderFactory, Draw, InputToken, PendingToken, StepDecoder, StepRequest,
};
pub use error::GenerateError;
pub use generation::Generation;
pub use model::{LanguageModel, Spelling};
pub use options::{Range, SamplingOption, SamplingValue, TYPESCRIPT};
pub use sampler::{Adjustment, SampledToken, Sampler, TokenLogprob};
pub use sampling::SamplingConfig;
pub use step::{CacheSlots, FinishReason, Step, Summary};
pub use stop::StopStrings;
