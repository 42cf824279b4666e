//! The key-value cache of SCOPE (Wu et al., ACL 2025, arXiv 2412.13649): what the prompt left is kept apart from what
//! decoding adds, and each is compressed by its own rule. With, for comparison, the rules that treat both alike.
//!
//! [`ScopeCache`] holds every layer's keys and values, on any burn device. It knows nothing of models, files or browsers.
//! `examples/scope_attention.rs` is an attention layer on it.
//!
//! # The rules
//!
//! Scores are attention probabilities, softmax in f32 over what the head can see, averaged over the query heads that share
//! the KV head; each KV head has its own retained set. With equal scores the earlier position wins. Positions count the
//! tokens seen, however many were evicted.
//!
//! A **prompt** is kept within A = α1 + α2 slots a head: its last α2 positions, the observation window, and α1 others that
//! the [`PrefillMethod`] chooses. One shorter than A is kept whole. P is what was kept.
//!
//! A **decode step** t, from 0, puts the new token into the cache, computes its attention over everything held with it, and
//! only then evicts, so that eviction shapes the next step. What [`DecodeStrategy`] does, with B = β1 + β2, D slots held
//! beyond P, T tokens expected and δ = max(1, (T − β2) div (B − β2)):
//!
//! | strategy | acts when | keeps, beside the last β2 positions held |
//! | --- | --- | --- |
//! | `full` | never | everything |
//! | `slide` | D > B | the prompt's, and the β1 best of the older decode positions |
//! | `adaptive` | D ≥ β2 + t div δ | the prompt's, and the t div δ best of the older decode positions |
//! | `discontinuous` | as `adaptive`, after δ times at which it would have | as `adaptive` |
//! | `h2o` | D > B | the P + β1 best of all older positions |
//! | `streamingllm` | D > B | the first P + β1 of all older positions |
//! | `pyramidinfer` | more than C_l + β2 held | the C_l best of all older positions, C_l falling over the layers |
//! | `tova` | D > B | the P + B best of all positions, β2 does not apply |
//! | `decayed-slide` | as `slide` | as `slide`, by decayed scores |
//! | `decayed-h2o` | as `h2o` | as `h2o`, by decayed scores |
//!
//! Those of the paper rank by the attention of one step. The last two, which are not the paper's, rank by that of every step
//! since the prompt: s(t) = γ · s(t − 1) + a(t), with a(t) the scores of step t alone, s(0) = a(0), and γ set by
//! [`ScopeCacheConfig::with_decay`].
//!
//! # Later turns
//!
//! A second prompt, appended after decoding, is prefilled against what is retained:
//!
//! - Its queries attend to everything held and causally to the prompt itself.
//! - Everything held, of earlier prompts and of decoding alike, and the new prompt together are then the prompt: n is their
//!   number, the window is the last α2 of them, pooling goes along them in the order of their positions.
//! - Only the new prompt's queries score. What earlier turns' queries gave is forgotten: it was given to other questions.
//!   Where the prompt has fewer queries than the window has positions, those it has are taken.
//! - Budgets that are fractions of the prompt are fractions of all tokens seen so far.
//! - Then P is what was kept, D and t are 0.
//!
//! # Memory
//!
//! Each layer is four tensors: keys and values `[kv_heads, capacity, head_dim]`, positions and last scores
//! `[kv_heads, capacity]`. Slots are in no order; a new token takes a slot that was freed, no kept slot ever moves at a
//! decode step. Memory grows by blocks and never beyond what a strategy's rule can fill; after a prompt, what it took
//! beyond its budget is given back. [`ScopeCache::memory`] counts all of it.
//!
//! One stored KV head serves its query group. The published implementation stores a copy for every query head instead: for
//! Llama 3, where four share one, four times the memory.
//!
//! How many slots a head holds follows from the rules alone, so the host knows it without asking, and neither prefill nor
//! decoding ever waits for the device. Only [`ScopeCache::retained`], [`ScopeCache::read_phases`],
//! [`ScopeCache::truncate`] and [`ScopeCache::save`] do.
//!
//! # Adding a method
//!
//! The rules are in [`policy`](crate::policy): a prefill method or a decode strategy is one file and
//! one line there. TOVA, which is not among the paper's, is such a file.

mod attention;
mod check;
mod compress;
mod config;
mod error;
mod fork;
mod in_place;
mod layer;
mod memory;
mod options;
mod part;
mod persist;
mod pool;
mod resume;
mod retained;
mod rewind;
mod rows;
mod scope_cache;
mod select;
mod step;
mod store;
mod turn;

pub use crate::policy::{
    Budget, BudgetOption, DecodeOptions, DecodeStrategy, HeadSlots, Pooling, PrefillMethod,
    PrefillOptions,
};
pub use config::{CacheType, ScopeCacheConfig};
pub use error::{CacheError, ConfigError};
pub(crate) use in_place::LayerBuffers;
pub use memory::MemoryReport;
pub use options::{CACHE_TYPE, CacheOptions};
pub use retained::{PhaseSlots, RetainedHead};
pub use scope_cache::{Allocation, ScopeCache};
