//! A cache's slots in JavaScript, read back from the GPU.

use serde::{Deserialize, Serialize};
use tsify::Tsify;

use crate::Error;
use crate::cache::{CacheError, ScopeCache};

/// Slots that one KV head holds, in the order of positions.
#[derive(Debug, Clone, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct RetainedSlots {
    /// Their positions.
    pub positions: Vec<u32>,
    /// The score of each at the last selection; 0 where a method does not score.
    pub scores: Vec<f32>,
    /// Number of the prompt's, which come first; the rest were decoded.
    pub prefill: usize,
}

/// Slots that a layer holds.
#[derive(Debug, Clone, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct RetainedLayer {
    /// The layer's number, from 0.
    pub layer: usize,
    /// W: newest positions that its queries see, which it holds whatever the policy; none if they
    /// see all.
    #[tsify(optional)]
    pub window: Option<usize>,
    /// Its KV heads.
    pub heads: Vec<RetainedSlots>,
}

impl RetainedLayer {
    /// Reads `layer` of `cache` back from the device.
    pub(super) async fn read(cache: &ScopeCache, layer: usize) -> Result<Self, CacheError> {
        let retained = cache.retained(layer).await?;
        let phases = cache.read_phases(layer).await?;
        let heads = retained.into_iter().zip(phases);
        let heads = heads.map(|(head, phase)| RetainedSlots {
            positions: head.positions,
            scores: head.scores,
            prefill: phase.prefill,
        });
        Ok(Self {
            layer,
            window: cache.config().window(layer),
            heads: heads.collect(),
        })
    }
}

/// Layers to read back while a generation runs. Each read waits for the GPU.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Tsify)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Observe {
    /// Steps from one read to the next; the first step is read.
    pub every: usize,
    /// The layers to read; all by default.
    #[serde(default)]
    #[tsify(optional)]
    pub layers: Option<Vec<usize>>,
}

impl Observe {
    /// Reads the layers, if step `index` is one to be read.
    pub(super) async fn read(
        &self,
        index: usize,
        cache: &ScopeCache,
    ) -> Result<Option<RetainedLayers>, Error> {
        if self.every == 0 || !index.is_multiple_of(self.every) {
            return Ok(None);
        }
        let all = || (0..cache.config().layers).collect();
        let mut layers = Vec::new();
        for layer in self.layers.clone().unwrap_or_else(all) {
            layers.push(RetainedLayer::read(cache, layer).await?);
        }
        Ok(Some(RetainedLayers { layers }))
    }
}

/// Slots that several layers hold.
#[derive(Debug, Clone, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct RetainedLayers {
    /// The layers, in the order of the request.
    pub layers: Vec<RetainedLayer>,
}
