//! A burn user's attention layer on a [`ScopeCache`], as a minimal example.
//!
//! `cargo run --example scope_attention`

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Distribution, Tensor};
use kvscope::cache::{
    Budget, CacheError, DecodeStrategy, PrefillMethod, ScopeCache, ScopeCacheConfig,
};

const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const HEAD_DIM: usize = 16;
const WIDTH: usize = HEADS * HEAD_DIM;

#[derive(Module, Debug)]
struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
}

impl Attention {
    fn new(device: &Device) -> Self {
        let linear = |width| {
            LinearConfig::new(WIDTH, width)
                .with_bias(false)
                .init(device)
        };
        Self {
            query: linear(WIDTH),
            key: linear(KV_HEADS * HEAD_DIM),
            value: linear(KV_HEADS * HEAD_DIM),
            output: linear(WIDTH),
        }
    }

    /// Attends over a prompt `[tokens, width]` as layer `layer`. A real model rotates queries and
    /// keys by RoPE here, from position `cache.position()` on.
    fn prompt(
        &self,
        input: Tensor<2>,
        layer: usize,
        cache: &mut ScopeCache,
    ) -> Result<Tensor<2>, CacheError> {
        let [tokens, _] = input.dims();
        let heads =
            |rows: Tensor<2>, heads| rows.reshape([tokens, heads, HEAD_DIM]).swap_dims(0, 1);
        let queries = heads(self.query.forward(input.clone()), HEADS);
        let keys = heads(self.key.forward(input.clone()), KV_HEADS);
        let values = heads(self.value.forward(input), KV_HEADS);
        let attended = cache.append(layer, queries, keys, values)?;
        cache.finish_prefill(layer)?;
        Ok(self
            .output
            .forward(attended.swap_dims(0, 1).reshape([tokens, WIDTH])))
    }

    /// Attends over one decoded token `[1, width]`.
    fn token(
        &self,
        input: Tensor<2>,
        layer: usize,
        cache: &mut ScopeCache,
    ) -> Result<Tensor<2>, CacheError> {
        let query = self.query.forward(input.clone()).reshape([HEADS, HEAD_DIM]);
        let key = self
            .key
            .forward(input.clone())
            .reshape([KV_HEADS, HEAD_DIM]);
        let value = self.value.forward(input).reshape([KV_HEADS, HEAD_DIM]);
        let attended = cache.step(layer, query, key, value)?;
        Ok(self.output.forward(attended.reshape([1, WIDTH])))
    }
}

fn main() -> Result<(), CacheError> {
    let device = Device::flex();
    let attention = Attention::new(&device);
    let mut cache = ScopeCacheConfig::new(1, HEADS, KV_HEADS, HEAD_DIM)
        .with_prefill(PrefillMethod::SnapKv)
        .with_prefill_budget(Budget::Slots(64))
        .with_decode(DecodeStrategy::Slide)
        .with_decode_budget(Budget::Slots(32))
        .with_recent(16)
        .init(&device)?;

    let random = |tokens| Tensor::random([tokens, WIDTH], Distribution::Default, &device);
    attention.prompt(random(500), 0, &mut cache)?;
    let mut token = random(1);
    for _ in 0..300 {
        token = attention.token(token, 0, &mut cache)?;
    }

    let memory = cache.memory();
    let held = cache.held(0)?[0];
    println!(
        "{} tokens seen, {} held a head ({} of the prompt, {} decoded)",
        cache.position(),
        held.held,
        held.prefill,
        held.decode()
    );
    println!(
        "{} bytes instead of {}",
        memory.held_bytes, memory.full_bytes
    );
    Ok(())
}
