//! The catalogue of [policies](crate::policy), and plans by them, for JavaScript.

use serde::{Deserialize, Serialize};
use tsify::{Ts, Tsify};
use wasm_bindgen::prelude::*;

use super::error::{conversion, invalid_argument, to_js};
use crate::cache::{CacheError, CacheOptions, ConfigError, ScopeCacheConfig};
use crate::policy::{Catalogue, HeadSlots};

#[wasm_bindgen(typescript_custom_section)]
const OPTIONS: &'static str = crate::policy::TYPESCRIPT;

/// A cache whose slots are to be planned.
#[derive(Debug, Clone, Serialize, Deserialize, Tsify)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanRequest {
    /// The cache's rules.
    #[serde(default)]
    #[tsify(optional)]
    pub cache: CacheOptions,
    /// The model's layers.
    pub layers: usize,
    /// KV heads per layer.
    pub kv_heads: usize,
    /// W per layer: newest positions that its queries see, which no policy touches. Null, and
    /// layers beyond the list, see all.
    #[serde(default)]
    #[tsify(optional)]
    pub windows: Vec<Option<usize>>,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// New tokens asked for; the adaptive strategies pace their budget by them.
    pub max_new_tokens: usize,
    /// Decode steps after which the slots are counted.
    pub steps: usize,
}

/// Planned slots of a cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct PlannedSlots {
    /// The layers, from the first.
    pub layers: Vec<PlannedLayer>,
}

/// Planned slots of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct PlannedLayer {
    /// The KV heads.
    pub heads: Vec<PlannedHead>,
}

/// Planned slots of a KV head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct PlannedHead {
    /// P: slots that prefill keeps. Strategies over everything may evict some of them later.
    pub prefill: usize,
    /// D: slots held beyond P.
    pub decode: usize,
    /// All slots held.
    pub held: usize,
}

impl From<HeadSlots> for PlannedHead {
    fn from(head: HeadSlots) -> Self {
        Self {
            prefill: head.prefill,
            decode: head.decode(),
            held: head.held,
        }
    }
}

/// Methods, strategies, options with their defaults and ranges, and presets.
#[wasm_bindgen]
pub fn policies() -> Result<Ts<Catalogue>, JsValue> {
    CacheOptions::catalogue().into_ts().map_err(conversion)
}

/// The slots that a cache will hold, by the same rules as the cache itself.
#[wasm_bindgen]
pub fn planned_slots(request: Ts<PlanRequest>) -> Result<Ts<PlannedSlots>, JsValue> {
    let request = request
        .to_rust()
        .map_err(|error| invalid_argument(&format!("`request`: {error}")))?;
    let planned = planned(&request).map_err(|error| to_js(CacheError::from(error)))?;
    planned.into_ts().map_err(conversion)
}

fn planned(request: &PlanRequest) -> Result<PlannedSlots, ConfigError> {
    let (layers, kv_heads) = (request.layers, request.kv_heads);
    let config = ScopeCacheConfig::new(layers, kv_heads, kv_heads, 1)
        .with_windows(request.windows.clone())
        .with_max_new_tokens(request.max_new_tokens);
    let config = request.cache.apply(config)?;
    let planned = config.planned_slots(request.prompt_tokens, request.steps)?;
    let layers = planned.into_iter().map(|heads| PlannedLayer {
        heads: heads.into_iter().map(PlannedHead::from).collect(),
    });
    Ok(PlannedSlots {
        layers: layers.collect(),
    })
}
