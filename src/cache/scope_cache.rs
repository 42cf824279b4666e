//! The cache as its users see it.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::module::Module;
use burn::tensor::{DType, Tensor};

use super::check;
use super::config::ScopeCacheConfig;
use super::error::CacheError;
use super::layer::LayerCache;
use super::memory::{Account, MemoryReport};
use super::rows::check_storable;
use super::step::Token;
use super::store::{self, Sizes};
use super::turn::Piece;
use crate::policy::{HeadSlots, MOST_TOKENS};

/// The key-value cache of one sequence, in every layer, made by [`ScopeCacheConfig::init`].
///
/// For each prompt, every layer gets any number of [`append`](Self::append)s and one
/// [`finish_prefill`](Self::finish_prefill); then, for each new token, one [`step`](Self::step). Layers may go one after
/// the other or side by side. Keys come with RoPE applied, for the position that [`position`](Self::position) tells.
///
/// The rules are in the [module's documentation](super).
///
/// # Copies
///
/// A clone shares its tensors with the original until either writes to a layer, which copies that layer's then. Each
/// counts the bytes it refers to, so that for a while both together report more than is allocated.
#[derive(Module, Debug)]
pub struct ScopeCache {
    pub(super) layers: Vec<LayerCache>,
    #[module(skip)]
    pub(super) config: ScopeCacheConfig,
    /// Tokens that the next prompt is known to have.
    #[module(skip)]
    pub(super) reserved: usize,
    /// Whether prompts are seen by what any prefill method needs, see [`ScopeCache::prepare_forks`].
    #[module(skip)]
    pub(super) forks: bool,
    #[module(skip)]
    pub(super) held: Account,
    #[module(skip)]
    pub(super) full: Account,
    /// What a full cache's layers would have allocated.
    #[module(skip)]
    pub(super) full_capacities: Vec<usize>,
    /// Where a layer's memory may have changed since, its number here has.
    #[module(skip)]
    pub(super) stamps: Vec<u64>,
}

impl ScopeCache {
    pub(super) fn empty(config: ScopeCacheConfig) -> Self {
        Self {
            layers: (0..config.layers)
                .map(|_| LayerCache::empty(&config))
                .collect(),
            full_capacities: vec![0; config.layers],
            stamps: (0..config.layers).map(|_| next_stamp()).collect(),
            reserved: 0,
            forks: false,
            held: Account::default(),
            full: Account::default(),
            config,
        }
    }

    /// Notes that `layer` may have other memory now.
    pub(super) fn moved(&mut self, layer: usize) {
        if let Some(stamp) = self.stamps.get_mut(layer) {
            *stamp = next_stamp();
        }
    }

    /// The configuration it was made with.
    pub fn config(&self) -> &ScopeCacheConfig {
        &self.config
    }

    /// The position of the next token: how many tokens every layer has seen, however much was evicted.
    pub fn position(&self) -> usize {
        let seen = self.layers.iter().map(|layer| layer.state.seen);
        seen.min().unwrap_or(0)
    }

    /// Says that the next prompt has `tokens` tokens, so that memory for all of it is allocated at once and never
    /// beyond it. Without this, memory grows with the pieces.
    pub fn reserve(&mut self, tokens: usize) {
        self.reserved = tokens.min(MOST_TOKENS);
    }

    /// Sets T, the number of tokens expected to be decoded, from the next [`finish_prefill`](Self::finish_prefill) on.
    ///
    /// # Errors
    ///
    /// [`CacheError::Config`] where [`max_new_tokens`](ScopeCacheConfig::max_new_tokens) can't be that.
    pub fn expect_new_tokens(&mut self, tokens: usize) -> Result<(), CacheError> {
        let config = self.config.clone().with_max_new_tokens(tokens);
        config.validate()?;
        self.config = config;
        Ok(())
    }

    /// Takes a piece of a prompt into `layer`: `queries` `[query_heads, tokens, head_dim]`, `keys` and `values`
    /// `[kv_heads, tokens, head_dim]`. Returns its causal attention over everything held and the prompt so far, in the
    /// shape and type of `queries`.
    ///
    /// Pieces of any size give the same as the whole prompt at once.
    ///
    /// # Errors
    ///
    /// [`CacheError::Layer`], [`CacheError::Shape`], [`CacheError::Type`], [`CacheError::Device`], [`CacheError::TooLong`],
    /// or [`CacheError::Config`] for a first piece on a device that can't hold the cache's type.
    pub fn append(
        &mut self,
        layer: usize,
        queries: Tensor<3>,
        keys: Tensor<3>,
        values: Tensor<3>,
    ) -> Result<Tensor<3>, CacheError> {
        let dtype = queries.dtype();
        let piece = Piece {
            queries,
            keys,
            values,
        };
        let cache = self.layer(layer)?;
        let device = cache.store.as_ref().map(|store| store.device());
        let count = check::piece(&piece, &self.config, device.as_ref())?;
        check::length(cache.state.seen, count)?;
        if device.is_none() {
            let device = piece.keys.device();
            check_storable(self.config.cache_type, self.config.head_dim, &device)?;
        }

        let before = cache.sizes();
        let replaced = cache.state.turn.is_none();
        self.moved(layer);
        let output = self.layers[layer].append(piece, &self.config, self.reserved, self.forks);
        self.settle(layer, before, replaced);
        Ok(output.cast(dtype))
    }

    /// Ends `layer`'s prompt: evicts what the prefill method does not keep and gives its memory back.
    ///
    /// # Errors
    ///
    /// [`CacheError::Layer`], or [`CacheError::NoPrompt`] if nothing was appended since the last.
    pub fn finish_prefill(&mut self, layer: usize) -> Result<(), CacheError> {
        let cache = self.layer(layer)?;
        if cache.state.turn.is_none() {
            return Err(CacheError::NoPrompt { layer });
        }
        let before = cache.sizes();
        self.moved(layer);
        let replaced = self.layers[layer].finish_prefill(&self.config, layer);
        self.settle(layer, before, replaced);
        let seen = self.layers[layer].state.seen;
        let mut layers = self.layers.iter();
        if layers.all(|layer| layer.state.turn.is_none() && layer.state.seen == seen) {
            // The prompt is in every layer: what is known of its length does not concern the next.
            self.reserved = 0;
        }
        Ok(())
    }

    /// Takes a decoded token into `layer`: `query` `[query_heads, head_dim]`, `key` and `value` `[kv_heads, head_dim]`.
    /// Returns its attention over everything held and itself, in the shape and type of `query`, and then evicts what the
    /// decode strategy does not keep.
    ///
    /// # Errors
    ///
    /// [`CacheError::Layer`], [`CacheError::Shape`], [`CacheError::Type`], [`CacheError::Device`], [`CacheError::TooLong`],
    /// [`CacheError::NoPrompt`] before any prompt, [`CacheError::PrefillOpen`] in the middle of one.
    pub fn step(
        &mut self,
        layer: usize,
        query: Tensor<2>,
        key: Tensor<2>,
        value: Tensor<2>,
    ) -> Result<Tensor<2>, CacheError> {
        let dtype = query.dtype();
        let token = Token { query, key, value };
        let cache = self.layer(layer)?;
        if cache.state.turn.is_some() {
            return Err(CacheError::PrefillOpen { layer });
        }
        let device = cache.store.as_ref().map(|store| store.device());
        check::token(&token, &self.config, device.as_ref())?;
        check::length(cache.state.seen, 1)?;

        let before = cache.sizes();
        self.moved(layer);
        let output = self.layers[layer].step(token, &self.config, layer);
        self.settle(layer, before, false);
        output
            .map(|output| output.cast(dtype))
            .ok_or(CacheError::NoPrompt { layer })
    }

    /// Empties the cache and forgets its high-water marks.
    pub fn reset(&mut self) {
        *self = Self {
            forks: self.forks,
            ..Self::empty(self.config.clone())
        };
    }

    /// What `layer` holds, a head, without asking the device.
    ///
    /// # Errors
    ///
    /// [`CacheError::Layer`].
    pub fn held(&self, layer: usize) -> Result<&[HeadSlots], CacheError> {
        Ok(&self.layer(layer)?.state.heads)
    }

    /// The positions of the tokens at whose decode steps `layer` ran a selection, as ranges.
    ///
    /// # Errors
    ///
    /// [`CacheError::Layer`].
    pub fn selections(&self, layer: usize) -> Result<&[Range<usize>], CacheError> {
        Ok(&self.layer(layer)?.state.selections)
    }

    /// Bytes held, and what a full cache would hold.
    pub fn memory(&self) -> MemoryReport {
        MemoryReport {
            held_bytes: self.held.now,
            full_bytes: self.full.now,
            held_high_water: self.held.high,
            full_high_water: self.full.high,
        }
    }

    /// The live tensors, one by one: what [`MemoryReport::held_bytes`] is the sum of.
    pub fn allocations(&self) -> Vec<Allocation> {
        let mut allocations = Vec::new();
        for (layer, cache) in self.layers.iter().enumerate() {
            let mut add = |tensor, shape: Vec<usize>, dtype: DType| {
                allocations.push(Allocation {
                    layer,
                    tensor,
                    shape,
                    dtype,
                });
            };
            if let Some(store) = &cache.store {
                for (name, rows) in [("keys", &store.keys), ("values", &store.values)] {
                    let (shape, dtype) = rows.layout();
                    add(name, shape.to_vec(), dtype);
                }
                add(
                    "positions",
                    store.positions.dims().to_vec(),
                    store.positions.dtype(),
                );
                add("scores", store.scores.dims().to_vec(), store.scores.dtype());
            }
            if let Some(queries) = &cache.queries {
                add("queries", queries.dims().to_vec(), queries.dtype());
            }
        }
        allocations
    }

    pub(super) fn layer(&self, layer: usize) -> Result<&LayerCache, CacheError> {
        self.layers.get(layer).ok_or(CacheError::Layer {
            layer,
            layers: self.layers.len(),
        })
    }

    /// Brings the accounts up to date after `layer` has changed.
    pub(super) fn settle(&mut self, layer: usize, before: Sizes, replaced: bool) {
        let cache = &self.layers[layer];
        let after = cache.sizes();
        if replaced || after != before {
            self.held.replace(before, after);
        }
        let had = self.full_capacities[layer];
        let needed = cache
            .state
            .full_capacity(&self.config.policy, layer, self.reserved);
        // A full cache shrinks only when it is truncated or when it gives back what was reserved for its prompt.
        let has = match cache.state.turn {
            Some(_) => needed.max(had),
            None => needed,
        };
        if has != had {
            self.full.replace(
                store::sizes_of(&self.config, had),
                store::sizes_of(&self.config, has),
            );
            self.full_capacities[layer] = has;
        }
    }
}

/// A number that no other call returns.
fn next_stamp() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// One tensor of the cache.
#[derive(Debug, Clone, PartialEq)]
pub struct Allocation {
    /// The layer it belongs to.
    pub layer: usize,
    /// Its name.
    pub tensor: &'static str,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its elements' type.
    pub dtype: DType,
}

impl Allocation {
    /// Its size.
    pub fn bytes(&self) -> u64 {
        self.shape.iter().product::<usize>() as u64 * self.dtype.size() as u64
    }
}
