//! The cache as its users see it.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};

use super::check;
use super::config::ScopeCacheConfig;
use super::error::{CacheError, ConfigError};
use super::layer::LayerCache;
use super::layers::{Layers, Terms};
use super::memory::MemoryReport;
use super::prompt::PromptChunk;
use super::step::Token;
use crate::policy::{HeadSlots, LayerState, MOST_TOKENS};

/// The key-value cache of one sequence, in every layer, made by [`ScopeCacheConfig::init`].
///
/// Per prompt, every layer gets any number of [`append`](Self::append)s and one
/// [`finish_prefill`](Self::finish_prefill); then one [`step`](Self::step) per new token. Layers
/// may go one after the other or side by side. Keys come with RoPE applied, for the position that
/// [`position`](Self::position) returns.
///
/// The rules are in the [module's documentation](super).
///
/// # Copies
///
/// A clone shares the original's tensors; whichever writes to a layer first copies that layer. Each
/// counts the bytes it refers to, so that both together may report more than is allocated.
#[derive(Module, Debug)]
pub struct ScopeCache {
    pub(super) layers: Layers,
    #[module(skip)]
    pub(super) config: ScopeCacheConfig,
    /// Tokens that the next prompt is known to have.
    #[module(skip)]
    pub(super) reserved: usize,
    /// Prompts are kept ready for [`ScopeCache::fork`], see [`ScopeCache::prepare_forks`].
    #[module(skip)]
    pub(super) forks: bool,
    /// Rounding of rows that is tried.
    #[cfg(feature = "bench")]
    #[module(skip)]
    pub(super) trial: Option<super::trial::Trial>,
}

impl ScopeCacheConfig {
    /// Creates an empty cache. Memory is allocated when the first tokens come, on the device they
    /// are on.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with the first field that has a value it can't have, here or on `device`.
    pub fn init(&self, device: &Device) -> Result<ScopeCache, ConfigError> {
        self.validate()?;
        self.cache_type.check(self.head_dim, device)?;
        Ok(ScopeCache::empty(self.clone()))
    }
}

impl ScopeCache {
    pub(super) fn empty(config: ScopeCacheConfig) -> Self {
        Self {
            layers: Layers::empty(&config),
            reserved: 0,
            forks: false,
            #[cfg(feature = "bench")]
            trial: None,
            config,
        }
    }

    /// Changes `layer` by way of [`Layers::change`].
    pub(super) fn change<R>(
        &mut self,
        layer: usize,
        change: impl FnOnce(&mut LayerCache, &ScopeCacheConfig) -> R,
    ) -> Result<R, CacheError> {
        let terms = Terms {
            config: &self.config,
            reserved: self.reserved,
        };
        let changed = self
            .layers
            .change(layer, terms, |cache| change(cache, terms.config));
        changed.ok_or(CacheError::Layer {
            layer,
            layers: self.layers.len(),
        })
    }

    /// Changes what the host knows of `layer` by way of [`Layers::change_state`].
    pub(super) fn change_state<R>(
        &mut self,
        layer: usize,
        change: impl FnOnce(&mut LayerState, &ScopeCacheConfig) -> R,
    ) -> Result<R, CacheError> {
        let terms = Terms {
            config: &self.config,
            reserved: self.reserved,
        };
        let changed = self
            .layers
            .change_state(layer, terms, |state| change(state, terms.config));
        changed.ok_or(CacheError::Layer {
            layer,
            layers: self.layers.len(),
        })
    }

    /// The configuration it was made with.
    pub fn config(&self) -> &ScopeCacheConfig {
        &self.config
    }

    /// The position of the next token: the number of tokens that every layer has seen, evicted or
    /// not.
    pub fn position(&self) -> usize {
        let seen = self.layers.iter().map(|layer| layer.state.seen);
        seen.min().unwrap_or(0)
    }

    /// Announces that the next prompt has `tokens` tokens: their memory is then allocated at once,
    /// and no more. Otherwise it grows with the chunks.
    pub fn reserve(&mut self, tokens: usize) {
        self.reserved = tokens.min(MOST_TOKENS);
    }

    /// Sets T, the number of tokens expected to be decoded, from the next
    /// [`finish_prefill`](Self::finish_prefill) on.
    ///
    /// # Errors
    ///
    /// [`CacheError::Config`] if [`max_new_tokens`](ScopeCacheConfig::max_new_tokens) can't be
    /// that.
    pub fn expect_new_tokens(&mut self, tokens: usize) -> Result<(), CacheError> {
        let config = self.config.clone().with_max_new_tokens(tokens);
        config.validate()?;
        self.config = config;
        Ok(())
    }

    /// Lets later chunks of a first prompt see rows as `trial` rounds them.
    ///
    /// The chunks before are the prompt that frames are of. The cache must be in f32, and ready for
    /// [forks](Self::prepare_forks).
    #[cfg(feature = "bench")]
    pub fn try_rows(&mut self, trial: super::trial::Trial) {
        self.trial = Some(trial);
    }

    /// Appends a chunk of a prompt to `layer`. Returns its causal attention over everything held
    /// and the prompt so far.
    ///
    /// Chunks of any size give the same as the whole prompt at once.
    ///
    /// # Shapes
    ///
    /// - queries: `[query_heads, tokens, head_dim]`
    /// - keys, values: `[kv_heads, tokens, head_dim]`
    /// - output: as the queries, in their type
    ///
    /// # Errors
    ///
    /// [`CacheError::Layer`], [`CacheError::Shape`], [`CacheError::Type`], [`CacheError::Device`],
    /// [`CacheError::TooLong`], or [`CacheError::Config`] for a first chunk on a device that can't
    /// hold the cache's type.
    pub fn append(
        &mut self,
        layer: usize,
        queries: Tensor<3>,
        keys: Tensor<3>,
        values: Tensor<3>,
    ) -> Result<Tensor<3>, CacheError> {
        let dtype = queries.dtype();
        let chunk = PromptChunk {
            queries,
            keys,
            values,
        };
        let cache = self.layer(layer)?;
        let device = cache.store.as_ref().map(|store| store.device());
        let count = check::chunk(&chunk, &self.config, device.as_ref())?;
        check::length(cache.state.seen, count)?;
        if device.is_none() {
            let device = chunk.keys.device();
            self.config
                .cache_type
                .check(self.config.head_dim, &device)?;
        }
        let (reserved, forks) = (self.reserved, self.forks);
        #[cfg(feature = "bench")]
        let tried = self
            .trial
            .map(|trial| (trial, cache.squares.clone(), chunk.queries.clone()));
        let output = self.change(layer, |cache, config| {
            cache.append(chunk, (config, layer), reserved, forks)
        })?;
        #[cfg(feature = "bench")]
        let output = match (tried, &self.layers[layer].store) {
            (Some((trial, Some(squares), queries)), Some(store)) => {
                let seen = self.layers[layer].state.seen;
                trial.attend(queries, squares, (store, seen), self.config.window(layer))
            }
            _ => output,
        };
        Ok(output.cast(dtype))
    }

    /// Ends `layer`'s prompt: evicts the positions that the prefill method does not keep, and frees
    /// their memory.
    ///
    /// # Errors
    ///
    /// [`CacheError::Layer`], or [`CacheError::NoPrompt`] if nothing was appended since the last.
    pub fn finish_prefill(&mut self, layer: usize) -> Result<(), CacheError> {
        let cache = self.layer(layer)?;
        if cache.state.turn.is_none() {
            return Err(CacheError::NoPrompt { layer });
        }
        self.change(layer, |cache, config| cache.finish_prefill(config, layer))?;
        let seen = self.layers[layer].state.seen;
        let mut layers = self.layers.iter();
        if layers.all(|layer| layer.state.turn.is_none() && layer.state.seen == seen) {
            // The prompt is in every layer: what is known of its length does not concern the next.
            self.reserved = 0;
        }
        Ok(())
    }

    /// Appends a decoded token to `layer`. Returns its attention over everything held and itself;
    /// then evicts the positions that the decode strategy does not keep.
    ///
    /// # Shapes
    ///
    /// - query: `[query_heads, head_dim]`
    /// - key, value: `[kv_heads, head_dim]`
    /// - output: as the query, in its type
    ///
    /// # Errors
    ///
    /// [`CacheError::Layer`], [`CacheError::Shape`], [`CacheError::Type`], [`CacheError::Device`],
    /// [`CacheError::TooLong`], [`CacheError::NoPrompt`] before any prompt,
    /// [`CacheError::PrefillOpen`] in the middle of one.
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
        self.change(layer, |cache, config| cache.step(token, config, layer))?
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

    /// Slots that every head of `layer` holds, without waiting for the device.
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

    /// Bytes held, and those of a full cache.
    pub fn memory(&self) -> MemoryReport {
        self.layers.memory()
    }

    /// The live tensors one by one; [`MemoryReport::held_bytes`] is their sum.
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
                    for (shape, dtype) in rows.layouts() {
                        add(name, shape.to_vec(), dtype);
                    }
                }
                if let Some(frame) = &store.frame {
                    let numbers = &frame.numbers;
                    add("frame", numbers.dims().to_vec(), numbers.dtype());
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
            if let Some(squares) = &cache.squares {
                add("squares", squares.dims().to_vec(), squares.dtype());
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
