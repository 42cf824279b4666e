//! A model: embedding, layers, norm and output.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::attention::CachePlace;
use super::block::Block;
use super::config::LlamaConfig;
use super::error::ModelError;
use super::fingerprint::Fingerprint;
use super::matrix::Matrix;
use super::norm::RmsNorm;
use super::rope::Rope;
use super::rotation::{Positions, Rotations};
use crate::Error;
use crate::cache::ScopeCache;
use crate::generate::LanguageModel;

/// A model of the Llama family; [`ModelLoader`](super::ModelLoader) makes it from files.
///
/// logits = l · W_out · norm(block_L(… block_1(e · E\[token\])))
///
/// Where:
/// - E is the embedding, W_out the output, or the embedding once more
/// - block_l is a [`Block`], norm an [`RmsNorm`]
/// - e and l are the scales of embedding and logits, 1 in most models
///
/// It keeps nothing of a sequence: that is all in the [`ScopeCache`] that each call is given.
/// Positions are the cache's, and may go on beyond the context that the model was trained for.
#[derive(Module, Debug)]
pub struct Llama {
    pub(crate) embedding: Matrix,
    pub(crate) blocks: Vec<Block>,
    pub(crate) norm: RmsNorm,
    /// W_out, `[vocabulary, width]`; `None` where the embedding serves.
    pub(crate) output: Option<Matrix>,
    #[module(skip)]
    pub(crate) config: LlamaConfig,
    #[module(skip)]
    /// The RoPEs of all layers, each once.
    pub(crate) ropes: Vec<Rope>,
    #[module(skip)]
    pub(crate) fingerprint: Fingerprint,
}

/// Tokens whose logits are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogitRows {
    /// No token.
    None,
    /// The last token.
    Last,
    /// Every token.
    All,
}

impl Llama {
    /// The model's configuration.
    pub fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// The identity of its weights.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Bytes of all matrices on the device.
    pub fn matrix_bytes(&self) -> u64 {
        let blocks = self.blocks.iter().flat_map(|block| {
            let attention = &block.attention;
            let feed_forward = &block.feed_forward;
            [
                &attention.query.matrix,
                &attention.key.matrix,
                &attention.value.matrix,
                &attention.output,
                &feed_forward.gate,
                &feed_forward.up,
                &feed_forward.down,
            ]
        });
        let ends = [Some(&self.embedding), self.output.as_ref()];
        let all = blocks.chain(ends.into_iter().flatten());
        all.map(Matrix::bytes).sum()
    }

    /// Takes a chunk of a prompt: puts `tokens` into `cache` after its last position, and computes
    /// the logits of `rows`.
    ///
    /// Chunks of any size give the same as the whole prompt at once.
    /// [`ScopeCache::finish_prefill`] ends the prompt.
    ///
    /// # Shapes
    ///
    /// - output: `[tokens or 1 or 0, vocabulary]`, f32
    ///
    /// # Errors
    ///
    /// [`ModelError::UnknownToken`], [`ModelError::CacheMismatch`], or what cache and kernels
    /// refuse. After an error of theirs the cache has the tokens in some layers only and is good
    /// for a reset.
    pub fn append(
        &self,
        tokens: &[u32],
        cache: &mut ScopeCache,
        rows: LogitRows,
    ) -> Result<Tensor<2>, Error> {
        let hidden = self.forward(tokens, cache, false)?;
        let [count, width] = hidden.dims();
        match rows {
            LogitRows::All if count > 0 => self.logits(hidden),
            LogitRows::Last if count > 0 => self.logits(hidden.slice([count - 1..count, 0..width])),
            _ => {
                let nobodys = [0, self.config.vocabulary];
                Ok(Tensor::empty(nobodys, &hidden.device()))
            }
        }
    }

    /// Takes a token that was decoded, and computes the logits of the next.
    ///
    /// # Shapes
    ///
    /// - output: `[vocabulary]`, f32
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn step(&self, token: u32, cache: &mut ScopeCache) -> Result<Tensor<1>, Error> {
        let hidden = self.forward(&[token], cache, true)?;
        Ok(self.logits(hidden)?.squeeze_dim::<1>(0))
    }

    /// Takes one decoded token into every cache, all at one position. Computes the next token's
    /// logits under each. The matrices are read once for all caches, which differ in their rules
    /// and so in their slots. A comparison of policies costs little more than their attention.
    ///
    /// # Shapes
    ///
    /// - output: `[caches, vocabulary]`, f32
    ///
    /// # Errors
    ///
    /// [`ModelError::CachesApart`] for caches at different positions; otherwise as
    /// [`append`](Self::append).
    pub fn step_each(&self, token: u32, caches: &mut [ScopeCache]) -> Result<Tensor<2>, Error> {
        self.check_tokens(&[token])?;
        let mut position = None;
        for cache in caches.iter() {
            self.check_cache(cache)?;
            let (found, first) = (cache.position(), *position.get_or_insert(cache.position()));
            if found != first {
                return Err(ModelError::CachesApart { found, first }.into());
            }
        }
        let mut hidden = self.embedded(&vec![token; caches.len()])?;
        let device = hidden.device();
        let Some(position) = position else {
            return Ok(Tensor::empty([0, self.config.vocabulary], &device));
        };
        let rotations = self.rotations(
            Positions::Repeated {
                position,
                count: caches.len(),
            },
            &device,
        );
        for (layer, block) in self.blocks.iter().enumerate() {
            hidden = block.step_each(hidden, &rotations, layer, caches)?;
        }
        self.logits(hidden)
    }

    /// Hidden states after the last layer, `[tokens, width]`.
    fn forward(
        &self,
        tokens: &[u32],
        cache: &mut ScopeCache,
        decoded: bool,
    ) -> Result<Tensor<2>, Error> {
        self.check_tokens(tokens)?;
        self.check_cache(cache)?;

        let mut hidden = self.embedded(tokens)?;
        if tokens.is_empty() {
            return Ok(hidden);
        }
        let device = hidden.device();
        let positions = Positions::From {
            first: cache.position(),
            count: tokens.len(),
        };
        let rotations = self.rotations(positions, &device);
        for (layer, block) in self.blocks.iter().enumerate() {
            let place = CachePlace {
                layer,
                cache,
                decoded,
            };
            hidden = block.forward(hidden, &rotations, place)?;
        }
        Ok(hidden)
    }

    /// Hidden states before the first layer, `[tokens, width]`.
    fn embedded(&self, tokens: &[u32]) -> Result<Tensor<2>, Error> {
        let rows = self.embedding.rows(tokens)?;
        Ok(scaled(rows, self.config.embedding_scale))
    }

    fn rotations(&self, positions: Positions, device: &Device) -> Rotations {
        let growth = self.config.facts.query_growth;
        Rotations::new(&self.ropes, growth, positions, device)
    }

    fn logits(&self, hidden: Tensor<2>) -> Result<Tensor<2>, Error> {
        let normed = self.norm.forward(hidden)?;
        let output = self.output.as_ref().unwrap_or(&self.embedding);
        Ok(scaled(output.product(normed)?, self.config.logit_scale))
    }

    /// Checks tokens: [`ModelError::UnknownToken`] for the first that the model does not know.
    pub(crate) fn check_tokens(&self, tokens: &[u32]) -> Result<(), ModelError> {
        let vocabulary = self.config.vocabulary;
        match tokens.iter().find(|token| **token as usize >= vocabulary) {
            Some(&token) => Err(ModelError::UnknownToken { token, vocabulary }),
            None => Ok(()),
        }
    }

    /// Checks a cache: [`ModelError::CacheMismatch`] unless it was made for a model like this one.
    pub(crate) fn check_cache(&self, cache: &ScopeCache) -> Result<(), ModelError> {
        let (model, cache) = (self.config.cache(), cache.config());
        let sizes = |config: &crate::cache::ScopeCacheConfig| {
            [
                config.layers,
                config.query_heads,
                config.kv_heads,
                config.head_dim,
            ]
        };
        let (expected, found) = (sizes(&model), sizes(cache));
        if found == expected {
            Ok(())
        } else {
            Err(ModelError::CacheMismatch { found, expected })
        }
    }
}

fn scaled(rows: Tensor<2>, scale: f32) -> Tensor<2> {
    if scale == 1.0 {
        rows
    } else {
        rows.mul_scalar(scale)
    }
}

impl LanguageModel for Llama {
    fn context(&self) -> usize {
        self.config.context
    }

    fn append(
        &self,
        tokens: &[u32],
        cache: &mut ScopeCache,
        logits: bool,
    ) -> Result<Tensor<2>, Error> {
        let rows = if logits {
            LogitRows::Last
        } else {
            LogitRows::None
        };
        Self::append(self, tokens, cache, rows)
    }

    fn step(&self, token: u32, cache: &mut ScopeCache) -> Result<Tensor<1>, Error> {
        Self::step(self, token, cache)
    }
}
