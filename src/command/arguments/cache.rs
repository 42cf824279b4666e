//! The cache's policy.

use std::convert::Infallible;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use kvscope::Error;
use kvscope::cache::{
    BudgetOption, CacheError, CacheOptions, CacheType, DecodeOptions, DecodeStrategy, Pooling,
    PrefillMethod, PrefillOptions, ScopeCacheConfig,
};

#[derive(Args, Clone)]
#[command(next_help_heading = "Cache")]
pub struct CacheArguments {
    /// What is kept of the prompt
    #[arg(long, value_name = "METHOD", default_value_t = PrefillMethod::Full, value_parser = by_name(PrefillMethod::ALL, PrefillMethod::name))]
    prefill_method: PrefillMethod,
    /// α1 + α2: slots a head for what is kept of the prompt, or a share of the prompt
    #[arg(long, value_name = "SLOTS|PERCENT%", default_value = "2048", value_parser = budget)]
    prefill_budget: BudgetOption,
    /// α2: the last positions of the prompt, which are always kept and whose queries score the others
    #[arg(long, value_name = "TOKENS", default_value_t = defaults().observation_window)]
    observation_window: usize,
    /// How snapkv and pyramidkv smooth scores along the positions
    #[arg(long, default_value = "maxpool", value_parser = by_name(&POOLINGS, pooling_name))]
    pooling: Pooling,
    /// Positions under the pooling kernel, an odd number
    #[arg(long, value_name = "TOKENS", default_value_t = defaults().kernel)]
    kernel: usize,
    /// What is evicted while decoding
    #[arg(long, value_name = "STRATEGY", default_value_t = DecodeStrategy::Full, value_parser = by_name(DecodeStrategy::ALL, DecodeStrategy::name))]
    decode_strategy: DecodeStrategy,
    /// β1 + β2: slots a head for what decoding adds, or a share of --max-new-tokens
    #[arg(long, value_name = "SLOTS|PERCENT%", default_value = "512", value_parser = budget)]
    decode_budget: BudgetOption,
    /// β2: the newest positions, which are always kept
    #[arg(long, value_name = "TOKENS", default_value_t = defaults().recent)]
    recent: usize,
    /// What a step's attention counts at the next one in decayed-slide and decayed-h2o, from 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = defaults().decay)]
    decay: f32,
    /// Keep adaptive and discontinuous within the decode budget, which their published code passes near the end
    #[arg(long)]
    strict_budget: bool,
    /// The type in which keys and values are kept
    #[arg(long, default_value_t = CacheType::default(), value_parser = by_name(CacheType::ALL, CacheType::name))]
    cache_type: CacheType,
}

const POOLINGS: [Pooling; 2] = [Pooling::MaxPool, Pooling::AvgPool];

fn pooling_name(pooling: Pooling) -> &'static str {
    match pooling {
        Pooling::MaxPool => "maxpool",
        Pooling::AvgPool => "avgpool",
    }
}

/// The library's values to begin with; no model's sizes are among them.
fn defaults() -> ScopeCacheConfig {
    ScopeCacheConfig::new(1, 1, 1, 1)
}

/// What is no number is for the library to read or to refuse.
fn budget(text: &str) -> Result<BudgetOption, Infallible> {
    let share = || BudgetOption::Share(text.to_owned());
    Ok(text.parse().map_or_else(|_| share(), BudgetOption::Slots))
}

/// One of `all`, by its name; an error lists them all.
fn by_name<T: Copy + Send + Sync + 'static>(
    all: &'static [T],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(all.iter().map(|value| name(*value))).try_map(move |text| {
        let named = all.iter().find(|value| name(**value) == text);
        named.copied().ok_or("no such name")
    })
}

impl CacheArguments {
    pub fn options(&self) -> CacheOptions {
        CacheOptions {
            cache_type: Some(self.cache_type),
            prefill: PrefillOptions {
                method: self.prefill_method,
                budget: Some(self.prefill_budget.clone()),
                observation_window: Some(self.observation_window),
                pooling: Some(self.pooling),
                kernel: Some(self.kernel),
            },
            decode: DecodeOptions {
                strategy: self.decode_strategy,
                budget: Some(self.decode_budget.clone()),
                recent: Some(self.recent),
                decay: Some(self.decay),
                strict_budget: Some(self.strict_budget),
            },
        }
    }

    /// Checks what does not depend on the model, before one is loaded.
    pub fn check(&self) -> Result<(), Error> {
        let config = self.options().apply(defaults());
        config
            .map(drop)
            .map_err(|error| CacheError::from(error).into())
    }
}
