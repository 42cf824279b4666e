//! Validation: the values that a policy may have.

use super::options::{BLOCK, MAX_NEW_TOKENS, OBSERVATION_WINDOW, RECENT};
use super::{Budget, ConfigError, Policy, Value, all_parameters};

/// Tokens of the longest sequence. Positions below are exact in every type that they pass through,
/// f32 included.
pub(crate) const MOST_TOKENS: usize = 1 << 24;

impl Policy {
    /// Checks every field, and fields against each other where they depend on each other.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names a field, its value and the values that are allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for (parameter, value) in [
            (&OBSERVATION_WINDOW, self.observation_window),
            (&RECENT, self.recent),
            (&MAX_NEW_TOKENS, self.max_new_tokens),
            (&BLOCK, self.block),
        ] {
            parameter.spec.check(Value::Count(value))?;
        }
        for spec in all_parameters() {
            spec.check(self.parameters.value(spec))?;
        }
        self.validate_prefill_budget()?;
        self.validate_decode_budget()
    }

    fn validate_prefill_budget(&self) -> Result<(), ConfigError> {
        const FIELD: &str = "prefill_budget";
        let window = self.observation_window;
        let least = self.prefill.rule().min_budget(window);
        match self.prefill_budget {
            Budget::Slots(slots) if (least..=MOST_TOKENS).contains(&slots) => Ok(()),
            Budget::Slots(slots) => {
                let part = format!("the observation window of {window} and at least one other");
                let allowed = format!("from {least} to {MOST_TOKENS}: {part}");
                Err(ConfigError::new(FIELD, slots, allowed))
            }
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
        let recent = self.recent;
        let least = self.decode.rule().min_budget(recent);
        match self.decode_budget {
            Budget::Slots(slots) if (least..=MOST_TOKENS).contains(&slots) => Ok(()),
            Budget::Slots(slots) => {
                let part = format!("the recent {recent} and what the strategy adds");
                let allowed = format!("from {least} to {MOST_TOKENS}: {part}");
                Err(ConfigError::new(FIELD, slots, allowed))
            }
            Budget::OfPrompt(share) | Budget::OfExpected(share) => fraction(FIELD, share),
        }
    }
}

/// Checks that `value` is from `least` to `most`.
pub(crate) fn within(
    field: &'static str,
    value: usize,
    least: usize,
    most: usize,
) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        let allowed = format!("from {least} to {most}");
        Err(ConfigError::new(field, value, allowed))
    }
}

fn fraction(field: &'static str, share: f32) -> Result<(), ConfigError> {
    if share > 0.0 && share <= 1.0 {
        Ok(())
    } else {
        Err(ConfigError::new(field, share, "above 0 and at most 1"))
    }
}
