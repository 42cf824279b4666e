//! Plans: the slots that a layer will hold, from its rules' numbers alone.

use super::order::{decide, finish_prompt};
use super::state::{HeadSlots, LayerState};
use super::validate::{MOST_TOKENS, within};
use super::window::LayerRules;
use super::{ConfigError, Policy};

impl Policy {
    /// Slots that each KV head holds after a prompt of `prompt` tokens and `steps` decode steps,
    /// per layer: `[layers][kv_heads]`. A cache by this policy holds exactly these.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a policy that is not valid, or more tokens than a cache can count.
    pub fn planned_slots(
        &self,
        (layers, kv_heads): (usize, usize),
        prompt: usize,
        steps: usize,
    ) -> Result<Vec<Vec<HeadSlots>>, ConfigError> {
        self.validate()?;
        let rules = (0..layers).map(|layer| self.of_layer((layer, layers)));
        planned_slots(rules, kv_heads, prompt, steps)
    }
}

/// Slots of each head after a prompt of `prompt` tokens and `steps` decode steps, of layers with
/// these rules: `[layers][kv_heads]`.
///
/// # Errors
///
/// [`ConfigError`] for more tokens than a cache can count.
pub(crate) fn planned_slots<'a>(
    layers: impl IntoIterator<Item = LayerRules<'a>>,
    kv_heads: usize,
    prompt: usize,
    steps: usize,
) -> Result<Vec<Vec<HeadSlots>>, ConfigError> {
    let heads = layers.into_iter().map(|rules| {
        let head = planned_head(rules, prompt, steps)?;
        Ok(vec![head; kv_heads])
    });
    heads.collect()
}

fn planned_head(
    rules: LayerRules<'_>,
    prompt: usize,
    steps: usize,
) -> Result<HeadSlots, ConfigError> {
    within("prompt", prompt, 0, MOST_TOKENS)?;
    within("steps", steps, 0, MOST_TOKENS - prompt)?;
    // The rules treat all heads alike, so one stands for all.
    let mut state = LayerState::new(1);
    state.append(state.open_turn(), prompt);
    finish_prompt(&mut state, rules);
    for _ in 0..steps {
        decide(&mut state, rules);
    }
    Ok(state.heads.first().copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::{Budget, DecodeStrategy, PrefillMethod};
    use super::*;

    #[test]
    fn a_pyramid_and_a_growing_budget_are_as_by_hand() {
        let mut policy = Policy {
            prefill: PrefillMethod::PyramidKv,
            prefill_budget: Budget::Slots(108),
            observation_window: 8,
            decode: DecodeStrategy::Adaptive,
            decode_budget: Budget::Slots(24),
            recent: 8,
            max_new_tokens: 80,
            ..Policy::default()
        };
        // α1 = 100, β = 20: m = 5, M = 195, and each of 4 layers keeps 47 less than the one before.
        let planned = policy.planned_slots((4, 2), 1000, 0).unwrap();
        let kept: Vec<usize> = planned.iter().map(|heads| heads[0].held).collect();
        assert_eq!(kept, [203, 156, 109, 62]);
        assert!(planned.iter().all(|heads| heads.len() == 2));
        // δ = 72 div 16 = 4: at step 79 there are β2 + 79 div 4 = 27 decode slots, B is 24.
        let planned = policy.planned_slots((4, 1), 1000, 80).unwrap();
        assert!(planned.iter().all(|heads| heads[0].decode() == 27));
        let strict = &crate::policy::decode::adaptive::STRICT_BUDGET;
        policy.parameters.set(strict, true);
        let planned = policy.planned_slots((4, 1), 1000, 80).unwrap();
        assert!(planned.iter().all(|heads| heads[0].decode() == 24));
    }

    #[test]
    fn sequences_that_no_cache_can_count_are_refused() {
        let policy = Policy::default();
        assert!(policy.planned_slots((1, 1), MOST_TOKENS + 1, 0).is_err());
        assert!(policy.planned_slots((1, 1), MOST_TOKENS, 1).is_err());
        assert_eq!(policy.planned_slots((0, 1), 5, 5), Ok(Vec::new()));
    }
}
