//! Models small enough to see through, for the tests of generating.

use std::cell::{Cell, RefCell};

use burn::tensor::{Device, Tensor, TensorData};
use kvscope::Error;
use kvscope::cache::{CacheError, ScopeCache, ScopeCacheConfig};
use kvscope::generate::{LanguageModel, Spelling};

/// A cache of two layers that evicts nothing, for [`Scripted`].
pub fn small_cache() -> ScopeCache {
    small_config().init(&Device::flex()).unwrap()
}

/// Its configuration.
pub fn small_config() -> ScopeCacheConfig {
    ScopeCacheConfig::new(2, 2, 1, 4).with_block(4)
}

/// Says what it was told to, whatever the prompt, and notes how the prompt came.
pub struct Scripted {
    /// The tokens that it finds likeliest, one after the other.
    pub script: Vec<u32>,
    pub vocabulary: usize,
    pub context: usize,
    /// The logit of those; all others' are 0.
    pub likely: f32,
    /// The step that fails, in the second layer, and the times that it does.
    pub fails: Cell<Option<(usize, usize)>>,
    /// Sizes of the pieces of the prompt.
    pub pieces: RefCell<Vec<usize>>,
    /// Tokens it was given at steps.
    pub stepped: RefCell<Vec<u32>>,
}

impl Scripted {
    pub fn new(script: &[u32]) -> Self {
        Self {
            script: script.to_vec(),
            vocabulary: 8,
            context: 1000,
            likely: 5.0,
            fails: Cell::new(None),
            pieces: RefCell::default(),
            stepped: RefCell::default(),
        }
    }

    fn logits(&self, step: usize) -> Tensor<1> {
        let mut logits = vec![0.0_f32; self.vocabulary];
        logits[self.script[step % self.script.len()] as usize] = self.likely;
        Tensor::from_data(TensorData::new(logits, [self.vocabulary]), &Device::flex())
    }

    fn failing(&self, step: usize) -> bool {
        match self.fails.get() {
            Some((at, times)) if at == step && times > 0 => {
                self.fails.set(Some((at, times - 1)));
                true
            }
            _ => false,
        }
    }
}

/// The error of a failing [`Scripted`].
pub fn failure() -> Error {
    CacheError::Read {
        detail: "as scripted".to_owned(),
    }
    .into()
}

impl LanguageModel for Scripted {
    fn context(&self) -> usize {
        self.context
    }

    fn append(
        &self,
        tokens: &[u32],
        cache: &mut ScopeCache,
        logits: bool,
    ) -> Result<Tensor<2>, Error> {
        self.pieces.borrow_mut().push(tokens.len());
        let config = cache.config().clone();
        for layer in 0..config.layers {
            let any = |heads| Tensor::ones([heads, tokens.len(), config.head_dim], &Device::flex());
            let (queries, keys) = (any(config.query_heads), any(config.kv_heads));
            cache.append(layer, queries, keys.clone(), keys)?;
        }
        Ok(if logits {
            self.logits(0).unsqueeze()
        } else {
            Tensor::zeros([0, self.vocabulary], &Device::flex())
        })
    }

    fn step(&self, token: u32, cache: &mut ScopeCache) -> Result<Tensor<1>, Error> {
        self.stepped.borrow_mut().push(token);
        let step = self.stepped.borrow().len();
        let config = cache.config().clone();
        for layer in 0..config.layers {
            if layer == 1 && self.failing(step) {
                return Err(failure());
            }
            let any = |heads| Tensor::ones([heads, config.head_dim], &Device::flex());
            let (query, key) = (any(config.query_heads), any(config.kv_heads));
            cache.step(layer, query, key.clone(), key)?;
        }
        Ok(self.logits(step))
    }
}

/// Spells tokens by a table of bytes, holding a character back until it is whole.
pub struct Table {
    bytes: Vec<&'static [u8]>,
    begun: Vec<u8>,
}

impl Table {
    pub fn new(bytes: &[&'static [u8]]) -> Self {
        Self {
            bytes: bytes.to_vec(),
            begun: Vec::new(),
        }
    }
}

impl Spelling for Table {
    fn push(&mut self, token: u32) -> String {
        self.begun.extend_from_slice(self.bytes[token as usize]);
        match String::from_utf8(std::mem::take(&mut self.begun)) {
            Ok(text) => text,
            Err(error) => {
                self.begun = error.into_bytes();
                String::new()
            }
        }
    }

    fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.begun)).into_owned()
    }
}

/// Two layers of real attention over the cache, with weights from a formula. The output depends on
/// all inputs.
pub struct Toy {
    config: ScopeCacheConfig,
    device: Device,
}

/// Tokens that a [`Toy`] knows.
pub const TOY_VOCABULARY: usize = 50;

impl Toy {
    pub fn new(config: &ScopeCacheConfig, device: &Device) -> Self {
        Self {
            config: config.clone(),
            device: device.clone(),
        }
    }

    /// Numbers in −1..1 that follow from `seed`, `[rows, columns]`.
    fn numbers(&self, seed: u64, [rows, columns]: [usize; 2]) -> Tensor<2> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let numbers: Vec<f32> = (0..rows * columns)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 40) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect();
        Tensor::from_data(TensorData::new(numbers, [rows, columns]), &self.device)
    }

    /// `[tokens, width]`.
    fn forward(
        &self,
        tokens: &[u32],
        cache: &mut ScopeCache,
        decoded: bool,
    ) -> Result<Tensor<2>, Error> {
        let ScopeCacheConfig {
            layers,
            query_heads,
            kv_heads,
            head_dim,
            ..
        } = self.config;
        let width = query_heads * head_dim;
        let first = cache.position();
        let rows: Vec<Tensor<2>> = (first..)
            .zip(tokens)
            .map(|(position, token)| {
                self.numbers(u64::from(*token) + 1, [1, width])
                    + self.numbers(position as u64 + 1000, [1, width])
            })
            .collect();
        let mut hidden = Tensor::cat(rows, 0);
        let count = tokens.len();
        for layer in 0..layers {
            let project = |part: u64, heads: usize| {
                let seed = 2000 + 10 * layer as u64 + part;
                let weights = self.numbers(seed, [width, heads * head_dim]);
                let product = hidden.clone().matmul(weights);
                product.reshape([count, heads, head_dim]).swap_dims(0, 1)
            };
            let (queries, keys, values) = (
                project(0, query_heads),
                project(1, kv_heads),
                project(2, kv_heads),
            );
            let attended = if decoded {
                let [query, key, value] =
                    [queries, keys, values].map(|all| all.squeeze_dim::<2>(1));
                cache.step(layer, query, key, value)?.unsqueeze_dim(1)
            } else {
                cache.append(layer, queries, keys, values)?
            };
            hidden = hidden.mul_scalar(0.5) + attended.swap_dims(0, 1).reshape([count, width]);
        }
        Ok(hidden)
    }

    fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        let [_, width] = hidden.dims();
        hidden.matmul(self.numbers(3000, [width, TOY_VOCABULARY]))
    }
}

impl LanguageModel for Toy {
    fn context(&self) -> usize {
        1000
    }

    fn append(
        &self,
        tokens: &[u32],
        cache: &mut ScopeCache,
        logits: bool,
    ) -> Result<Tensor<2>, Error> {
        let hidden = self.forward(tokens, cache, false)?;
        Ok(if logits {
            self.logits(hidden.narrow(0, tokens.len() - 1, 1))
        } else {
            Tensor::zeros([0, TOY_VOCABULARY], &self.device)
        })
    }

    fn step(&self, token: u32, cache: &mut ScopeCache) -> Result<Tensor<1>, Error> {
        let hidden = self.forward(&[token], cache, true)?;
        Ok(self.logits(hidden).squeeze_dim::<1>(0))
    }
}
