//! Reading the retained set back from the device, for pictures and tests.

use burn::tensor::{Int, Tensor};
use serde::{Deserialize, Serialize};

use super::error::CacheError;
use super::scope_cache::ScopeCache;
use super::store::SlotStore;

/// What one KV head holds, in the order of positions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RetainedHead {
    /// The positions held.
    pub positions: Vec<u32>,
    /// The score that each had at the last selection or, in decoding, gets at every step: the attention of the queries
    /// that were asked, averaged over the query group. 0 where a method does not score.
    pub scores: Vec<f32>,
}

/// Slots that a head holds, by the phase their positions come from.
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
        let positions = read_positions(store).await?;
        let scores = read_scores(&store.scores).await?;
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

    /// The slots of every KV head of `layer` by phase, without asking the device.
    ///
    /// `None` under strategies that may evict prompt positions, where only the device knows:
    /// [`read_phases`](Self::read_phases) asks it.
    ///
    /// # Errors
    ///
    /// [`CacheError::Layer`].
    pub fn phases(&self, layer: usize) -> Result<Option<Vec<PhaseSlots>>, CacheError> {
        let state = &self.layer(layer)?.state;
        if self.config.decode.evicts_prompt() {
            return Ok(None);
        }
        let open = state.turn.is_some();
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

    /// The slots of every KV head of `layer` by phase. Waits for the device where it has to be asked.
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
        let phases = read_positions(store).await?.into_iter().map(|positions| {
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

/// Every head's slots' positions, as they lie.
pub(super) async fn read_positions(store: &SlotStore) -> Result<Vec<Vec<i32>>, CacheError> {
    let positions = read_ints(&store.positions).await?;
    Ok(positions
        .chunks(store.capacity().max(1))
        .map(<[i32]>::to_vec)
        .collect())
}

pub(super) async fn read_ints(tensor: &Tensor<2, Int>) -> Result<Vec<i32>, CacheError> {
    let data = tensor.to_data_async().await.map_err(unread)?;
    data.try_into_vec_as::<i32>().map_err(unread)
}

pub(super) async fn read_scores(tensor: &Tensor<2>) -> Result<Vec<f32>, CacheError> {
    let data = tensor.to_data_async().await.map_err(unread)?;
    data.try_into_vec_as::<f32>().map_err(unread)
}

pub(super) fn unread(error: impl std::fmt::Debug) -> CacheError {
    CacheError::Read {
        detail: format!("{error:?}"),
    }
}
