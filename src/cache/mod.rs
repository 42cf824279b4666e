//! The key-value cache of SCOPE (Wu et al., ACL 2025, arXiv 2412.13649). The prompt's slots and
//! those that decoding adds are kept apart, and each part is compressed by its own rule. Rules that
//! treat both alike are here for comparison.
//!
//! [`ScopeCache`] holds every layer's keys and values, on any burn device. It knows nothing of
//! models, files or browsers. `examples/scope_attention.rs` is an attention layer on it.
//!
//! [`PrefillMethod`] chooses the prompt positions that stay, once, within
//! [`Policy::prefill_budget`](crate::policy::Policy::prefill_budget). [`DecodeStrategy`] evicts
//! after the attention of each step, within
//! [`Policy::decode_budget`](crate::policy::Policy::decode_budget). [`ScopeCache::memory`] counts
//! the bytes. `docs/rules.md`, included here, has every rule in full.
//!
#![doc = include_str!("../../docs/rules.md")]
//!
//! # Adding a method
//!
//! The rules are in [`policy`](crate::policy): a prefill method or a decode strategy is one file
//! and one line there. TOVA, which is not among the paper's, is such a file.

mod attention;
mod buffers;
mod check;
mod compress;
mod config;
pub(crate) mod envelope;
mod error;
mod finite;
mod fork;
mod frame;
mod host_attention;
mod in_place;
mod layer;
mod layers;
mod memory;
mod options;
mod pool;
mod prompt;
mod retained;
mod rewind;
mod rows;
mod save;
mod scope_cache;
mod select;
mod step;
mod storage;
mod store;
#[cfg(feature = "bench")]
mod trial;

pub use crate::policy::{
    Budget, BudgetOption, DecodeOptions, DecodeStrategy, HeadSlots, Pooling, PrefillMethod,
    PrefillOptions,
};
pub use config::ScopeCacheConfig;
pub use error::{CacheError, ConfigError};
pub(crate) use frame::order as rotation_order;
pub use memory::MemoryReport;
pub use options::{CACHE_TYPE, CacheOptions};
pub use retained::{PhaseSlots, RetainedHead};
pub(crate) use rows::{EXACT, SINKS};
pub use scope_cache::{Allocation, ScopeCache};
pub use storage::{CacheType, CacheTypes};
pub(crate) use store::LayerBuffers;
#[cfg(feature = "bench")]
pub use trial::{Trial, TrialRows};
