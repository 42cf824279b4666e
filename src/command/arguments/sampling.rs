//! Arguments for the choice of each token.

use clap::Args;
use kvscope::generate::SamplingConfig;

#[derive(Args)]
#[command(next_help_heading = "Sampling")]
pub struct SamplingArguments {
    /// Divide logits by this; 0 always takes the likeliest token
    #[arg(long, value_name = "NUMBER", default_value_t = SamplingConfig::default().temperature)]
    temperature: f32,
    /// Choose among this many of the likeliest tokens; 0 for all
    #[arg(long, value_name = "TOKENS", default_value_t = SamplingConfig::default().top_k)]
    top_k: usize,
    /// Choose among the fewest likeliest tokens with this much probability together
    #[arg(long, value_name = "SHARE", default_value_t = SamplingConfig::default().top_p)]
    top_p: f32,
    /// Choose among tokens at least this times as likely as the likeliest
    #[arg(long, value_name = "SHARE", default_value_t = SamplingConfig::default().min_p)]
    min_p: f32,
    /// Make tokens that have occurred less likely; 1 does not
    #[arg(long, value_name = "NUMBER", default_value_t = SamplingConfig::default().repetition_penalty)]
    repetition_penalty: f32,
    /// Latest tokens that count as having occurred; 0 for all
    #[arg(long, value_name = "TOKENS", default_value_t = SamplingConfig::default().repetition_window)]
    repetition_window: usize,
    /// The same seed gives the same text on the same adapter
    #[arg(long, value_name = "NUMBER", default_value_t = SamplingConfig::default().seed)]
    seed: u64,
}

impl SamplingArguments {
    pub fn config(&self) -> SamplingConfig {
        SamplingConfig::default()
            .with_temperature(self.temperature)
            .with_top_k(self.top_k)
            .with_top_p(self.top_p)
            .with_min_p(self.min_p)
            .with_repetition_penalty(self.repetition_penalty)
            .with_repetition_window(self.repetition_window)
            .with_seed(self.seed)
    }
}
