//! A cache of one layer with one small head. The slots that a head holds and allocates follow from
//! the rules and the number of tokens alone. This computes them for any position without a model.

use burn::tensor::{Device, Distribution, Tensor};
use kvscope::cache::{CacheOptions, CacheType, ScopeCache, ScopeCacheConfig};
use pollster::block_on;

use crate::Outcome;
use crate::plan::Filled;

/// Elements per head where rows don't matter.
pub const DIM: usize = 8;

/// Prompt tokens per chunk.
const CHUNK: usize = 256;

pub struct Thin {
    cache: ScopeCache,
    device: Device,
    dim: usize,
}

impl Thin {
    /// Creates one that has taken in the prompt.
    pub fn new(filled: &Filled) -> Outcome<Self> {
        let rules: &CacheOptions = &filled.cache;
        let config = rules.apply(ScopeCacheConfig::new(1, 1, 1, DIM))?;
        Self::of(config.with_cache_type(CacheType::F32), filled)
    }

    /// Creates one with rows as `filled`'s storage type has them, of `dim` elements.
    pub fn with_rows(filled: &Filled, dim: usize) -> Outcome<Self> {
        let rules: &CacheOptions = &filled.cache;
        let config = rules.apply(ScopeCacheConfig::new(1, 1, 1, dim))?;
        Self::of(config, filled)
    }

    fn of(config: ScopeCacheConfig, filled: &Filled) -> Outcome<Self> {
        let device = Device::flex();
        let dim = config.head_dim;
        let config = config.with_max_new_tokens(filled.max_new_tokens);
        let mut cache = config.init(&device)?;
        cache.reserve(filled.prompt);
        for start in (0..filled.prompt).step_by(CHUNK) {
            let tokens = CHUNK.min(filled.prompt - start);
            let any = || random([1, tokens, dim], &device);
            cache.append(0, any(), any(), any())?;
        }
        cache.finish_prefill(0)?;
        Ok(Self { cache, device, dim })
    }

    pub fn position(&self) -> usize {
        self.cache.position()
    }

    pub fn step(&mut self) -> Outcome<()> {
        let any = || random([1, self.dim], &self.device);
        self.cache.step(0, any(), any(), any())?;
        Ok(())
    }

    /// Decodes up to `position`.
    pub fn go_to(&mut self, position: usize) -> Outcome<()> {
        while self.position() < position {
            self.step()?;
        }
        Ok(())
    }

    /// Slots held.
    pub fn held(&self) -> usize {
        self.cache
            .held(0)
            .map_or(0, |heads| heads.iter().map(|head| head.held).sum())
    }

    /// Slots allocated.
    pub fn capacity(&self) -> usize {
        let mut allocations = self.cache.allocations().into_iter();
        let positions = allocations.find(|it| it.tensor == "positions");
        positions.map_or(0, |positions| positions.shape.iter().product())
    }

    /// Positions of the steps at which slots were selected.
    pub fn selections(&self) -> Vec<usize> {
        let ranges = self.cache.selections(0).unwrap_or_default();
        ranges.iter().cloned().flatten().collect()
    }

    /// Bytes of a layer's tensors, in the order of a saved cache.
    pub fn parts(&self) -> Vec<usize> {
        let order = ["keys", "values", "positions", "scores", "frame"];
        let all = self.cache.allocations();
        let of = |name: &str| {
            let of_name = all.iter().filter(|it| it.tensor == name);
            of_name.map(|it| it.bytes() as usize).collect::<Vec<_>>()
        };
        order.into_iter().flat_map(of).collect()
    }

    /// Serialises it as a saved cache.
    pub fn save(&self) -> Outcome<Vec<u8>> {
        Ok(block_on(self.cache.save())?)
    }
}

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}
