//! The retained set, read back from the device.

use serde::{Deserialize, Serialize};

use super::error::CacheError;
use super::scope_cache::ScopeCache;

/// The retained set of one KV head, in the order of positions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RetainedHead {
    /// The positions held.
    pub positions: Vec<u32>,
    /// Their scores: attention averaged over the query group, at the last selection or, in
    /// decoding, the last step. All 0 if the method does not score.
    pub scores: Vec<f32>,
}

/// Slots of one head by the phase that their positions come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseSlots {
    /// Positions up to the end of the last prompt.
    pub prefill: usize,
    /// Positions decoded since.
    pub decode: usize,
}

impl ScopeCache {
    /// The retained set of every KV head of `layer`. Waits for the device.
    ///
    /// # Errors
    ///
    /// [`CacheError::Layer`] or [`CacheError::Read`].
    pub async fn retained(&self, layer: usize) -> Result<Vec<RetainedHead>, CacheError> {
        let cache = self.layer(layer)?;
        let Some(store) = &cache.store else {
            return Ok(vec![RetainedHead::default(); self.config.kv_heads]);
        };
        let positions = store.read_positions().await?;
        let scores = store.read_scores().await?;
        let heads = positions.iter().zip(scores.chunks(store.capacity()));
        Ok(heads
            .map(|(positions, scores)| {
                let mut held: Vec<(u32, f32)> = positions
                    .iter()
                    .zip(scores)
                    .filter_map(|(position, score)| Some((u32::try_from(*position).ok()?, *score)))
                    .collect();
                held.sort_unstable_by_key(|(position, _)| *position);
                let (positions, scores) = held.into_iter().unzip();
                RetainedHead { positions, scores }
            })
            .collect())
    }

    /// The slots of every KV head of `layer` by phase, without waiting for the device.
    ///
    /// `None` under strategies that may evict prompt positions. Then only the device knows, and
    /// [`read_phases`](Self::read_phases) asks it.
    ///
    /// # Errors
    ///
    /// [`CacheError::Layer`].
    pub fn phases(&self, layer: usize) -> Result<Option<Vec<PhaseSlots>>, CacheError> {
        let state = &self.layer(layer)?.state;
        let open = state.turn.is_some();
        if self.config.window(layer).is_some() && !open {
            // The newest positions, of which as many are decoded as steps were taken.
            let heads = state.heads.iter().map(|head| {
                let decode = head.held.min(state.step());
                PhaseSlots {
                    prefill: head.held - decode,
                    decode,
                }
            });
            return Ok(Some(heads.collect()));
        }
        if self.config.decode.evicts_prompt() {
            return Ok(None);
        }
        let heads = state.heads.iter().map(|head| match open {
            true => PhaseSlots {
                prefill: head.held,
                decode: 0,
            },
            false => PhaseSlots {
                prefill: head.prefill,
                decode: head.decode(),
            },
        });
        Ok(Some(heads.collect()))
    }

    /// The slots of every KV head of `layer` by phase. Waits for the device if
    /// [`phases`](Self::phases) is `None`.
    ///
    /// # Errors
    ///
    /// [`CacheError::Layer`] or [`CacheError::Read`].
    pub async fn read_phases(&self, layer: usize) -> Result<Vec<PhaseSlots>, CacheError> {
        if let Some(phases) = self.phases(layer)? {
            return Ok(phases);
        }
        let cache = self.layer(layer)?;
        let Some(store) = &cache.store else {
            return Ok(vec![PhaseSlots::default(); self.config.kv_heads]);
        };
        let boundary = match cache.state.turn {
            Some(_) => cache.state.seen,
            None => cache.state.boundary,
        };
        let phases = store.read_positions().await?.into_iter().map(|positions| {
            let held = positions
                .iter()
                .filter_map(|position| usize::try_from(*position).ok());
            let (prefill, decode): (Vec<_>, Vec<_>) =
                held.partition(|position| *position < boundary);
            PhaseSlots {
                prefill: prefill.len(),
                decode: decode.len(),
            }
        });
        Ok(phases.collect())
    }
}
