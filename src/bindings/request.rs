//! A generation's request and result in JavaScript.

use serde::{Deserialize, Serialize};
use tsify::Tsify;

use super::retained::Observe;
use crate::cache::CacheOptions;
use crate::engine::Prompt;
use crate::generate::{GenerateConfig, Summary};

/// A generation to run, and the rules of its cache.
#[derive(Debug, Clone, Serialize, Deserialize, Tsify)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GenerateRequest {
    /// The input to continue.
    pub prompt: Prompt,
    /// The cache's rules.
    #[serde(default)]
    #[tsify(optional)]
    pub cache: CacheOptions,
    /// Sampling, and the ends of the generation.
    #[serde(default)]
    #[tsify(optional)]
    pub config: GenerateConfig,
    /// Reads of the cache along the way; none by default.
    #[serde(default)]
    #[tsify(optional)]
    pub observe: Option<Observe>,
}

/// A generation that has ended.
#[derive(Debug, Clone, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct GenerateResult {
    /// The generated text.
    pub text: String,
    /// Its tokens, including the one that ended it.
    pub tokens: Vec<u32>,
    /// Speed and memory.
    pub summary: Summary,
}
