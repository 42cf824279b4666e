//! Which configurations make sense.

use super::{Budget, ConfigError, DecodeStrategy, PrefillMethod, ScopeCacheConfig};

/// Bounds far above any model, so that products of sizes can't overflow.
const MOST_LAYERS: usize = 4096;
const MOST_HEADS: usize = 4096;
const MOST_HEAD_DIM: usize = 4096;
/// The longest sequence: positions up to here are exact in every type they pass through, f32 included.
pub(super) const MOST_TOKENS: usize = 1 << 24;

impl ScopeCacheConfig {
    /// Checks every field, and those against each other that depend on each other.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first field in question, its value and what would be allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        within("layers", self.layers, 1, MOST_LAYERS)?;
        within("query_heads", self.query_heads, 1, MOST_HEADS)?;
        within("kv_heads", self.kv_heads, 1, self.query_heads)?;
        if !self.query_heads.is_multiple_of(self.kv_heads) {
            return Err(ConfigError::new(
                "kv_heads",
                self.kv_heads,
                format!("a divisor of query_heads ({})", self.query_heads),
            ));
        }
        within("head_dim", self.head_dim, 1, MOST_HEAD_DIM)?;
        within(
            "observation_window",
            self.observation_window,
            1,
            MOST_TOKENS,
        )?;
        within("kernel", self.kernel, 1, MOST_TOKENS)?;
        if self.kernel.is_multiple_of(2) {
            return Err(ConfigError::new("kernel", self.kernel, "odd"));
        }
        within("pyramid_beta", self.pyramid_beta, 1, MOST_TOKENS)?;
        within("recent", self.recent, 0, MOST_TOKENS)?;
        within("max_new_tokens", self.max_new_tokens, 1, MOST_TOKENS)?;
        within("block", self.block, 1, MOST_TOKENS)?;
        if !(0.0..=1.0).contains(&self.decay) {
            return Err(ConfigError::new("decay", self.decay, "from 0 to 1"));
        }
        self.validate_prefill_budget()?;
        self.validate_decode_budget()
    }

    fn validate_prefill_budget(&self) -> Result<(), ConfigError> {
        const FIELD: &str = "prefill_budget";
        let least = if self.prefill == PrefillMethod::Full {
            1
        } else {
            self.observation_window + 1
        };
        match self.prefill_budget {
            Budget::Slots(slots) if (least..=MOST_TOKENS).contains(&slots) => Ok(()),
            Budget::Slots(slots) => Err(ConfigError::new(
                FIELD,
                slots,
                format!(
                    "from {least} to {MOST_TOKENS}: the observation window of {} and at least one other",
                    self.observation_window
                ),
            )),
            Budget::OfPrompt(share) => fraction(FIELD, share),
            Budget::OfExpected(_) => Err(ConfigError::new(
                FIELD,
                self.prefill_budget,
                "a number of slots or a fraction of the prompt",
            )),
        }
    }

    fn validate_decode_budget(&self) -> Result<(), ConfigError> {
        const FIELD: &str = "decode_budget";
        let least = match self.decode.rule().scope().keeps_recent {
            _ if self.decode == DecodeStrategy::Full => 1,
            false => 1,
            true => self.recent + usize::from(self.decode.rule().needs_heavy()),
        }
        .max(1);
        match self.decode_budget {
            Budget::Slots(slots) if (least..=MOST_TOKENS).contains(&slots) => Ok(()),
            Budget::Slots(slots) => Err(ConfigError::new(
                FIELD,
                slots,
                format!(
                    "from {least} to {MOST_TOKENS}: the recent {} and what the strategy adds",
                    self.recent
                ),
            )),
            Budget::OfPrompt(share) | Budget::OfExpected(share) => fraction(FIELD, share),
        }
    }
}

fn within(field: &'static str, value: usize, least: usize, most: usize) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(ConfigError::new(
            field,
            value,
            format!("from {least} to {most}"),
        ))
    }
}

fn fraction(field: &'static str, share: f32) -> Result<(), ConfigError> {
    if share > 0.0 && share <= 1.0 {
        Ok(())
    } else {
        Err(ConfigError::new(field, share, "above 0 and at most 1"))
    }
}
