//! The configuration of a cache: a model's sizes, the storage type, and the policy.

use std::ops::{Deref, DerefMut, Range};

use serde::{Deserialize, Serialize};

use super::storage::CacheTypes;
use super::{Budget, ConfigError, DecodeStrategy, HeadSlots, Pooling, PrefillMethod};
use crate::policy::decode::{adaptive::STRICT_BUDGET, decayed::DECAY};
use crate::policy::prefill::pyramidkv::PYRAMID_BETA;
use crate::policy::prefill::snapkv::{KERNEL, POOLING};
use crate::policy::{LayerRules, MOST_TOKENS, Parameter, Policy, Setting, planned_slots, within};
use crate::setters::setters;

/// Bounds far above any model, so that products of sizes can't overflow.
const MOST_LAYERS: usize = 4096;
const MOST_HEADS: usize = 4096;
const MOST_HEAD_DIM: usize = 4096;

/// Creates a [`ScopeCache`](super::ScopeCache).
///
/// [`ScopeCacheConfig::new`] gives a cache that evicts nothing; the `with_` methods choose the
/// rules. Budgets have the paper's values by default (α1 + α2 = 2048, β1 + β2 = 512).
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
/// assert_eq!(config.recent, 64); // the policy's fields are the configuration's
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScopeCacheConfig {
    /// Attention layers, L.
    pub layers: usize,
    /// Query heads per layer.
    pub query_heads: usize,
    /// KV heads per layer. Each serves a group of `query_heads / kv_heads` query heads, the i-th
    /// the i-th group.
    pub kv_heads: usize,
    /// Elements of one head's key or value.
    pub head_dim: usize,
    /// Types in which keys and values are stored.
    #[serde(default)]
    pub cache_type: CacheTypes,
    /// W per layer: the newest positions that its queries see, their own among them. `None`, and
    /// layers beyond the list, see all positions. No policy touches a layer with a window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Option<usize>>,
    /// Rules and budgets. Its reader refuses unknown fields, of the whole configuration.
    #[serde(flatten)]
    pub policy: Policy,
}

impl Deref for ScopeCacheConfig {
    type Target = Policy;

    fn deref(&self) -> &Policy {
        &self.policy
    }
}

impl DerefMut for ScopeCacheConfig {
    fn deref_mut(&mut self) -> &mut Policy {
        &mut self.policy
    }
}

/// One method per line, each of which sets a parameter of a prefill method or decode strategy.
macro_rules! parameter_setters {
    ($($name:ident: $parameter:ident, $type:ty;)*) => {
        $(
            #[doc = concat!("Sets the parameter `", stringify!($parameter), "`.")]
            #[must_use]
            pub fn $name(self, value: $type) -> Self {
                self.with(&$parameter, value)
            }
        )*
    };
}

impl ScopeCacheConfig {
    /// A cache for `layers` layers of `query_heads` query heads on `kv_heads` KV heads of
    /// `head_dim` elements, f16, that evicts nothing.
    pub fn new(layers: usize, query_heads: usize, kv_heads: usize, head_dim: usize) -> Self {
        Self {
            layers,
            query_heads,
            kv_heads,
            head_dim,
            cache_type: CacheTypes::default(),
            windows: Vec::new(),
            policy: Policy::default(),
        }
    }

    setters! {
        /// Sets [`policy`](Self::policy).
        with_policy: policy, Policy;
        /// Sets [`windows`](Self::windows).
        with_windows: windows, Vec<Option<usize>>;
        /// Sets [`Policy::prefill`].
        with_prefill: prefill, PrefillMethod;
        /// Sets [`Policy::prefill_budget`].
        with_prefill_budget: prefill_budget, Budget;
        /// Sets [`Policy::observation_window`].
        with_observation_window: observation_window, usize;
        /// Sets [`Policy::decode`].
        with_decode: decode, DecodeStrategy;
        /// Sets [`Policy::decode_budget`].
        with_decode_budget: decode_budget, Budget;
        /// Sets [`Policy::recent`].
        with_recent: recent, usize;
        /// Sets [`Policy::max_new_tokens`].
        with_max_new_tokens: max_new_tokens, usize;
        /// Sets [`Policy::block`].
        with_block: block, usize;
    }

    /// Sets [`cache_type`](Self::cache_type), of keys and values alike or of each.
    #[must_use]
    pub fn with_cache_type(mut self, types: impl Into<CacheTypes>) -> Self {
        self.cache_type = types.into();
        self
    }

    /// Sets a parameter of a prefill method or decode strategy.
    ///
    /// ```
    /// use kvscope::cache::ScopeCacheConfig;
    /// use kvscope::policy::prefill::snapkv::KERNEL;
    ///
    /// let config = ScopeCacheConfig::new(30, 9, 3, 64).with(&KERNEL, 9);
    /// assert_eq!(config, ScopeCacheConfig::new(30, 9, 3, 64).with_kernel(9));
    /// ```
    #[must_use]
    pub fn with<T: Setting>(mut self, parameter: &Parameter<T>, value: T) -> Self {
        self.policy.parameters.set(parameter, value);
        self
    }

    parameter_setters! {
        with_pooling: POOLING, Pooling;
        with_kernel: KERNEL, usize;
        with_pyramid_beta: PYRAMID_BETA, usize;
        with_decay: DECAY, f32;
        with_strict_budget: STRICT_BUDGET, bool;
    }

    /// Checks every field, and fields against each other where they depend on each other.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names a field, its value and the values that are allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        within("layers", self.layers, 1, MOST_LAYERS)?;
        within("query_heads", self.query_heads, 1, MOST_HEADS)?;
        within("kv_heads", self.kv_heads, 1, self.query_heads)?;
        if !self.query_heads.is_multiple_of(self.kv_heads) {
            let allowed = format!("a divisor of query_heads ({})", self.query_heads);
            return Err(ConfigError::new("kv_heads", self.kv_heads, allowed));
        }
        within("head_dim", self.head_dim, 1, MOST_HEAD_DIM)?;
        within("windows", self.windows.len(), 0, self.layers)?;
        for window in self.windows.iter().flatten() {
            within("windows", *window, 1, MOST_TOKENS)?;
        }
        self.policy.validate()
    }

    /// The newest positions that queries of `layer` see; `None` for all.
    pub fn window(&self, layer: usize) -> Option<usize> {
        self.windows.get(layer).copied().flatten()
    }

    /// Slots that each KV head will hold after a prompt of `prompt` tokens and `steps` decode
    /// steps, per layer: `[layers][kv_heads]`.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate); for more tokens than a cache can count, too.
    pub fn planned_slots(
        &self,
        prompt: usize,
        steps: usize,
    ) -> Result<Vec<Vec<HeadSlots>>, ConfigError> {
        self.validate()?;
        let rules = (0..self.layers).map(|layer| self.rules(layer));
        planned_slots(rules, self.kv_heads, prompt, steps)
    }

    /// The rules of `layer`.
    ///
    /// Pyramids divide a total by the layers' places, in which those with a window have no part.
    pub(super) fn rules(&self, layer: usize) -> LayerRules<'_> {
        let without = |layers: Range<usize>| {
            let windows = layers.map(|layer| self.window(layer));
            windows.filter(Option::is_none).count()
        };
        let place = match self.windows.is_empty() {
            true => (layer, self.layers),
            false => (without(0..layer), without(0..self.layers)),
        };
        LayerRules {
            window: self.window(layer),
            ..self.policy.of_layer(place)
        }
    }

    /// Query heads that share a KV head.
    pub fn group(&self) -> usize {
        self.query_heads / self.kv_heads.max(1)
    }
}
