//! Going back: a cache that has forgotten the end of its sequence.

use super::budget::TurnBudgets;
use super::config::ScopeCacheConfig;
use super::decode::{HeadSlots, Step};
use super::error::CacheError;
use super::layer::{LayerCache, LayerState};
use super::scope_cache::ScopeCache;
use super::step::acts;

impl ScopeCache {
    /// Drops every position from `length` on, so that the next token is at position `length`, and gives back the memory
    /// that this frees. What was evicted before stays evicted. Waits for the device, to learn how many slots each head
    /// has left: they need not be the same any more.
    ///
    /// Back to a decode step of the current turn, the turn goes on from there, at step `length` − prompt length. Back
    /// into the prompt, or in the middle of a prefill, everything left counts as prompt and the turn begins anew at
    /// step 0.
    ///
    /// # Errors
    ///
    /// [`CacheError::Read`]; then nothing is changed.
    pub async fn truncate(&mut self, length: usize) -> Result<(), CacheError> {
        if length == 0 {
            for layer in 0..self.layers.len() {
                self.change(layer, |cache, config| *cache = LayerCache::empty(config))?;
            }
            return Ok(());
        }
        let mut held = Vec::with_capacity(self.layers.len());
        for layer in self.layers.iter() {
            held.push(match &layer.store {
                Some(store) if layer.state.seen > length => Some(store.read_positions().await?),
                _ => None,
            });
        }
        for (layer, held) in held.into_iter().enumerate() {
            if let Some(held) = held {
                self.change(layer, |cache, config| {
                    cache.truncate(length, &held, config, layer);
                })?;
            }
        }
        Ok(())
    }
}

impl LayerCache {
    /// `slots` are the positions in every head's slots.
    fn truncate(
        &mut self,
        length: usize,
        slots: &[Vec<i32>],
        config: &ScopeCacheConfig,
        layer: usize,
    ) {
        let Some(store) = self.store.take() else {
            return;
        };
        self.queries = None;
        let state = &mut self.state;
        let fresh = state.turn.take().is_some() || length < state.boundary;
        for (head, slots) in state.heads.iter_mut().zip(slots) {
            let held = slots.iter().filter(|slot| left(**slot, length)).count();
            *head = HeadSlots {
                prefill: if fresh { held } else { head.prefill },
                held,
            };
        }
        state.seen = length;
        state.unbroken = slots
            .iter()
            .map(|slots| unbroken(slots, length))
            .min()
            .unwrap_or(0);
        for range in &mut state.selections {
            range.end = range.end.min(length);
        }
        state.selections.retain(|range| !range.is_empty());
        if fresh {
            state.boundary = length;
            state.prompt_slots = state.most_held();
            state.budgets = TurnBudgets::resolve(config, length, config.max_new_tokens);
        }
        state.waited = waited(state, config, layer);

        let needed = state.most_held().max(state.prompt_slots + 1);
        let capacity = state.decode_capacity(needed, config, layer);
        let kept = store
            .positions
            .clone()
            .greater_equal_elem(0)
            .bool_and(store.positions.clone().lower_elem(length as i64));
        self.store = Some(store.keep(kept, capacity));
    }
}

/// Whether a slot's position is held and before `length`.
fn left(slot: i32, length: usize) -> bool {
    usize::try_from(slot).is_ok_and(|position| position < length)
}

/// How many of the newest positions before `length` a head holds without a gap.
pub(super) fn unbroken(slots: &[i32], length: usize) -> usize {
    let mut held = vec![false; length];
    for position in slots.iter().filter_map(|slot| usize::try_from(*slot).ok()) {
        if let Some(held) = held.get_mut(position) {
            *held = true;
        }
    }
    held.iter().rev().take_while(|held| **held).count()
}

/// What a patient strategy had waited at the step that the turn is at now: its count follows from the numbers alone, so
/// the steps since the prefill can be gone through again.
fn waited(state: &LayerState, config: &ScopeCacheConfig, layer: usize) -> usize {
    let rule = config.decode.rule();
    let patience = rule.patience(&state.budgets);
    let mut waited = 0;
    if patience == 0 {
        return waited;
    }
    let scope = rule.scope();
    let recent = if scope.keeps_recent {
        state.budgets.recent
    } else {
        0
    };
    let mut head = HeadSlots {
        prefill: state.most_prefill(),
        held: state.most_prefill(),
    };
    for step in 0..state.step() {
        head.held += 1;
        let now = Step {
            step,
            layer,
            budgets: state.budgets,
        };
        let keep = rule.keep(head, &now);
        if let (true, Some(keep)) = (acts(&[keep], &mut waited, patience), keep) {
            let among = if scope.prompt_too {
                head.held
            } else {
                head.decode()
            };
            head.held -= among.saturating_sub(recent).saturating_sub(keep);
        }
    }
    waited
}
