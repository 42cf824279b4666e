//! The configuration: what is cached, by which rules, within which budgets.

use burn::tensor::{DType, Device};
use serde::{Deserialize, Serialize};

use super::{Budget, ConfigError, DecodeStrategy, PrefillMethod, ScopeCache};
use crate::setters::setters;

/// The type in which keys and values are kept. Arithmetic is in f32 either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum CacheType {
    /// 16-bit floats.
    #[default]
    F16,
    /// 32-bit floats: twice the memory, and exact where keys and values are f32.
    F32,
}

impl CacheType {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        self.dtype().size()
    }

    pub(super) fn dtype(self) -> DType {
        match self {
            Self::F16 => DType::F16,
            Self::F32 => DType::F32,
        }
    }
}

/// How SnapKV smooths attention along the positions before it picks the largest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum Pooling {
    /// The greatest of the positions under the kernel.
    #[default]
    MaxPool,
    /// Their mean, where positions beyond the ends count as zeros.
    AvgPool,
}

/// Creates a [`ScopeCache`].
///
/// [`ScopeCacheConfig::new`] gives a cache that evicts nothing; the `with_` methods choose the rules. Budgets have the
/// paper's values to begin with (α1 + α2 = 2048, β1 + β2 = 512).
///
/// ```
/// use kvscope::cache::{Budget, DecodeStrategy, PrefillMethod, ScopeCacheConfig};
///
/// let config = ScopeCacheConfig::new(30, 9, 3, 64)
///     .with_prefill(PrefillMethod::SnapKv)
///     .with_prefill_budget(Budget::OfPrompt(0.3))
///     .with_decode(DecodeStrategy::Slide)
///     .with_decode_budget(Budget::Slots(256))
///     .with_recent(64);
/// assert!(config.validate().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeCacheConfig {
    /// Attention layers, L.
    pub layers: usize,
    /// Query heads a layer.
    pub query_heads: usize,
    /// KV heads a layer; each serves a group of `query_heads / kv_heads` query heads, the i-th the i-th group.
    pub kv_heads: usize,
    /// Elements of one head's key or value.
    pub head_dim: usize,
    /// The type in which keys and values are kept.
    #[serde(default)]
    pub cache_type: CacheType,
    /// What is kept of the prompt.
    #[serde(default)]
    pub prefill: PrefillMethod,
    /// A = α1 + α2: slots a head for what is kept of the prompt.
    #[serde(default = "defaults::prefill_budget")]
    pub prefill_budget: Budget,
    /// α2: the last prompt positions, which are always kept and whose queries score the others.
    #[serde(default = "defaults::observation_window")]
    pub observation_window: usize,
    /// SnapKV's and PyramidKV's pooling.
    #[serde(default)]
    pub pooling: Pooling,
    /// Positions under the pooling kernel, an odd number.
    #[serde(default = "defaults::kernel")]
    pub kernel: usize,
    /// β of the pyramid: its last layer gets α1 div β.
    #[serde(default = "defaults::pyramid_beta")]
    pub pyramid_beta: usize,
    /// What is evicted while decoding.
    #[serde(default)]
    pub decode: DecodeStrategy,
    /// B = β1 + β2: slots a head for what decoding adds.
    #[serde(default = "defaults::decode_budget")]
    pub decode_budget: Budget,
    /// β2: the newest positions, which are always kept.
    #[serde(default = "defaults::recent")]
    pub recent: usize,
    /// T: how many tokens are expected to be decoded; the adaptive strategies pace their budget by it.
    #[serde(default = "defaults::max_new_tokens")]
    pub max_new_tokens: usize,
    /// What a step's attention counts at the next one, from 0 to 1, in the strategies that rank by that of all steps.
    #[serde(default = "defaults::decay")]
    pub decay: f32,
    /// Keeps `adaptive` and `discontinuous` within β1. Their published code lets β1(t) = t div δ grow past it near the
    /// end of a generation, because δ is rounded down; `false` is exact to that.
    #[serde(default)]
    pub strict_budget: bool,
    /// Slots by which memory grows.
    #[serde(default = "defaults::block")]
    pub block: usize,
}

mod defaults {
    use super::Budget;

    pub fn prefill_budget() -> Budget {
        Budget::Slots(2048)
    }
    pub fn observation_window() -> usize {
        8
    }
    pub fn kernel() -> usize {
        7
    }
    pub fn pyramid_beta() -> usize {
        20
    }
    pub fn decode_budget() -> Budget {
        Budget::Slots(512)
    }
    pub fn recent() -> usize {
        256
    }
    pub fn decay() -> f32 {
        0.99
    }
    pub fn max_new_tokens() -> usize {
        4096
    }
    pub fn block() -> usize {
        64
    }
}

impl ScopeCacheConfig {
    /// A cache for `layers` layers of `query_heads` query heads on `kv_heads` KV heads of `head_dim` elements, f16, that
    /// evicts nothing.
    pub fn new(layers: usize, query_heads: usize, kv_heads: usize, head_dim: usize) -> Self {
        Self {
            layers,
            query_heads,
            kv_heads,
            head_dim,
            cache_type: CacheType::default(),
            prefill: PrefillMethod::default(),
            prefill_budget: defaults::prefill_budget(),
            observation_window: defaults::observation_window(),
            pooling: Pooling::default(),
            kernel: defaults::kernel(),
            pyramid_beta: defaults::pyramid_beta(),
            decode: DecodeStrategy::default(),
            decode_budget: defaults::decode_budget(),
            recent: defaults::recent(),
            max_new_tokens: defaults::max_new_tokens(),
            decay: defaults::decay(),
            strict_budget: false,
            block: defaults::block(),
        }
    }

    setters! {
        /// Sets [`cache_type`](Self::cache_type).
        with_cache_type: cache_type, CacheType;
        /// Sets [`prefill`](Self::prefill).
        with_prefill: prefill, PrefillMethod;
        /// Sets [`prefill_budget`](Self::prefill_budget).
        with_prefill_budget: prefill_budget, Budget;
        /// Sets [`observation_window`](Self::observation_window).
        with_observation_window: observation_window, usize;
        /// Sets [`pooling`](Self::pooling).
        with_pooling: pooling, Pooling;
        /// Sets [`kernel`](Self::kernel).
        with_kernel: kernel, usize;
        /// Sets [`pyramid_beta`](Self::pyramid_beta).
        with_pyramid_beta: pyramid_beta, usize;
        /// Sets [`decode`](Self::decode).
        with_decode: decode, DecodeStrategy;
        /// Sets [`decode_budget`](Self::decode_budget).
        with_decode_budget: decode_budget, Budget;
        /// Sets [`recent`](Self::recent).
        with_recent: recent, usize;
        /// Sets [`max_new_tokens`](Self::max_new_tokens).
        with_max_new_tokens: max_new_tokens, usize;
        /// Sets [`decay`](Self::decay).
        with_decay: decay, f32;
        /// Sets [`strict_budget`](Self::strict_budget).
        with_strict_budget: strict_budget, bool;
        /// Sets [`block`](Self::block).
        with_block: block, usize;
    }

    /// Query heads that share a KV head.
    pub fn group(&self) -> usize {
        self.query_heads / self.kv_heads.max(1)
    }

    /// Creates an empty cache. Memory is allocated when the first tokens come, on the device they are on.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with the first field that has a value it can't have, here or on `device`.
    pub fn init(&self, device: &Device) -> Result<ScopeCache, ConfigError> {
        self.validate()?;
        super::rows::check_storable(self.cache_type, self.head_dim, device)?;
        Ok(ScopeCache::empty(self.clone()))
    }
}
