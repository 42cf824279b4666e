//! Whether what a saved cache says of itself can be true. A checksum tells accidents; this tells everything else, because
//! counts that the host relies on must never disagree with the slots.

use super::config::ScopeCacheConfig;
use super::error::CacheError;
use super::persist::{SavedLayer, corrupt};
use crate::policy::{LayerState, MOST_TOKENS, recent_run};

/// Checks a layer's numbers against each other.
pub(super) fn check_numbers(
    layer: &SavedLayer,
    config: &ScopeCacheConfig,
) -> Result<(), CacheError> {
    let SavedLayer { state, capacity } = layer;
    let budgets = &state.budgets;
    let sane = state.turn.is_none()
        && state.heads.len() == config.kv_heads
        && state.seen <= MOST_TOKENS
        && state.boundary <= state.seen
        && state.prompt_slots <= *capacity
        && *capacity <= 2 * MOST_TOKENS
        && (*capacity > 0 || state.seen == 0)
        && state.heads.iter().all(|head| {
            head.held <= *capacity && head.held <= state.seen && head.prefill <= state.boundary
        })
        && state.skipped <= MOST_TOKENS
        && selections_ascend(state)
        && [
            budgets.prefill,
            budgets.window,
            budgets.decode,
            budgets.recent,
            budgets.expected,
        ]
        .iter()
        .all(|budget| *budget <= MOST_TOKENS + 1)
        && (budgets.layers == config.layers || state.seen == 0);
    if sane {
        Ok(())
    } else {
        Err(corrupt("a layer's numbers contradict each other"))
    }
}

fn selections_ascend(state: &LayerState) -> bool {
    let mut last = 0;
    state.selections.iter().all(|range| {
        let ascends = last <= range.start && range.start < range.end && range.end <= state.seen;
        last = range.end;
        ascends
    })
}

/// Checks every head's slots against what the layer's numbers say that it holds.
pub(super) fn check_positions(
    slots: &[i32],
    capacity: usize,
    state: &LayerState,
    config: &ScopeCacheConfig,
) -> Result<(), CacheError> {
    let split = !config.decode.evicts_prompt();
    for (slots, head) in slots.chunks(capacity.max(1)).zip(&state.heads) {
        let mut held: Vec<usize> = slots
            .iter()
            .filter_map(|slot| usize::try_from(*slot).ok())
            .collect();
        held.sort_unstable();
        let of_prompt = held.iter().filter(|held| **held < state.boundary).count();
        let true_to_count = held.len() == head.held
            && held.last().is_none_or(|last| *last < state.seen)
            && held.windows(2).all(|pair| pair[0] != pair[1])
            && slots.iter().all(|slot| *slot >= super::store::EMPTY)
            && (!split || of_prompt == head.prefill)
            && recent_run(slots, state.seen) >= state.recent_run;
        if !true_to_count {
            return Err(corrupt("a head's slots are not what its numbers say"));
        }
    }
    Ok(())
}
