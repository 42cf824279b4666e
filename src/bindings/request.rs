//! A generation's request and result in JavaScript.

use serde::{Deserialize, Serialize};
use tsify::{Ts, Tsify};
use wasm_bindgen::prelude::*;

use super::error::conversion;
use super::retained::Observe;
use crate::cache::CacheOptions;
use crate::engine::Prompt;
use crate::generate::{GenerateConfig, SamplingConfig, SamplingValue, Summary};

#[wasm_bindgen(typescript_custom_section)]
const SAMPLING: &'static str = crate::generate::TYPESCRIPT;

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
    /// Number of the session to go on in; by default 0, the one of requests without a session.
    #[serde(default)]
    #[tsify(optional)]
    pub session: u32,
    /// Takes the prompt in and generates nothing; false by default.
    #[serde(default)]
    #[tsify(optional)]
    pub only_prefill: bool,
    /// Goes on from what the session's cache holds of the prompt, if its rules are the same. True
    /// by default.
    #[serde(default = "by_default")]
    #[tsify(optional)]
    pub reuse: bool,
    /// Tells each step's tokens with their texts, bytes and logprobs; false by default.
    #[serde(default)]
    #[tsify(optional)]
    pub logprobs: bool,
    /// Sampling, and the ends of the generation.
    #[serde(default)]
    #[tsify(optional)]
    pub config: GenerateConfig,
    /// Reads of the cache along the way; none by default.
    #[serde(default)]
    #[tsify(optional)]
    pub observe: Option<Observe>,
}

fn by_default() -> bool {
    true
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

/// Fields of the package's requests that are sampling options.
#[derive(Debug, Clone, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct SamplingFields {
    /// The fields.
    pub fields: Vec<SamplingField>,
}

/// A field of the package's requests that is a sampling option.
#[derive(Debug, Clone, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct SamplingField {
    /// Name of the field, in snake_case.
    pub name: &'static str,
    /// `true` if its values are whole numbers.
    pub whole: bool,
}

/// The sampling options that the package's requests have.
#[wasm_bindgen]
pub fn sampling_fields() -> Result<Ts<SamplingFields>, JsValue> {
    let options = SamplingConfig::OPTIONS.iter();
    let fields = options.filter(|option| option.in_requests).map(|option| {
        let whole = !matches!(option.default_value(), SamplingValue::Number(_));
        let name = option.name;
        SamplingField { name, whole }
    });
    let fields = fields.collect();
    SamplingFields { fields }.into_ts().map_err(conversion)
}
