//! [`Engine`] for JavaScript.

use std::cell::RefCell;
use std::ops::ControlFlow;

use js_sys::Function;
use serde::{Deserialize, Serialize};
use tsify::{Ts, Tsify};
use wasm_bindgen::prelude::*;

use super::cache::WasmCache;
use super::error::{conversion, invalid_argument, to_js};
use super::report::{ModelReport, Observe, PromptTokens, RetainedLayer};
use crate::cache::{CacheOptions, MemoryReport, ScopeCache};
use crate::device::Gpu;
use crate::engine::{Engine, Prompt};
use crate::generate::{Cancel, GenerateConfig, Summary};
use crate::measure::{self, Work};

/// What to generate, and within which cache.
#[derive(Debug, Clone, Serialize, Deserialize, Tsify)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GenerateRequest {
    /// What to go on from.
    pub prompt: Prompt,
    /// The cache's rules.
    #[serde(default)]
    #[tsify(optional)]
    pub cache: CacheOptions,
    /// How tokens are chosen, and what ends them.
    #[serde(default)]
    #[tsify(optional)]
    pub config: GenerateConfig,
    /// What to read of the cache as it goes; nothing, if nothing is said.
    #[serde(default)]
    #[tsify(optional)]
    pub observe: Option<Observe>,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct GenerateResult {
    /// The text, as far as it came.
    pub text: String,
    /// Its tokens, with the one that ended it.
    pub tokens: Vec<u32>,
    /// Speed and memory.
    pub summary: Summary,
}

/// A loaded model, and the cache of its last generation.
#[wasm_bindgen]
pub struct WasmEngine {
    engine: Engine,
    gpu: Gpu,
    cancel: RefCell<Cancel>,
    cache: RefCell<Option<ScopeCache>>,
    tunings: Option<String>,
}

impl WasmEngine {
    pub(super) fn new(engine: Engine, gpu: &Gpu, tunings: Option<String>) -> Self {
        Self {
            engine,
            gpu: gpu.clone(),
            cancel: RefCell::default(),
            cache: RefCell::default(),
            tunings,
        }
    }
}

#[wasm_bindgen]
impl WasmEngine {
    /// Generates, in a new cache. `on_prefill` is called with the tokens of the prompt that are done and their number,
    /// `on_step` with each step and, where the request asks to observe it, what the cache's layers hold then; what either
    /// throws ends the generation and is thrown here.
    pub async fn generate(
        &self,
        request: Ts<GenerateRequest>,
        on_prefill: Function,
        on_step: Function,
    ) -> Result<Ts<GenerateResult>, JsValue> {
        let request = request
            .to_rust()
            .map_err(|error| invalid_argument(&format!("`request`: {error}")))?;
        let _occupied = self.engine.occupy().map_err(to_js)?;
        self.gpu.check().map_err(to_js)?;
        let cancel = Cancel::new();
        self.cancel.replace(cancel.clone());
        // The last generation's memory is free for this one's.
        self.cache.replace(None);

        let tokens = self.engine.encode(&request.prompt).map_err(to_js)?;
        let mut cache = self.engine.cache(&request.cache).map_err(to_js)?;
        let generation = self
            .engine
            .generation(tokens, &mut cache, request.config)
            .map_err(to_js)?;
        let mut generation = generation
            .with_cancel(cancel)
            .with_scores(request.observe.is_some());

        let mut thrown = None;
        let nobody = JsValue::NULL;
        let prefilled = generation.prefill(|done, of| {
            match on_prefill.call2(&nobody, &(done as f64).into(), &(of as f64).into()) {
                Ok(_) => ControlFlow::Continue(()),
                Err(error) => {
                    thrown = Some(error);
                    ControlFlow::Break(())
                }
            }
        });
        prefilled.await.map_err(to_js)?;
        if let Some(error) = thrown {
            return Err(error);
        }
        while let Some(step) = generation.next().await.map_err(to_js)? {
            let observed = match &request.observe {
                Some(observe) => observe.read(step.index, generation.cache()).await,
                None => Ok(None),
            };
            let observed = match observed.map_err(to_js)? {
                Some(layers) => layers.into_ts().map_err(conversion)?.into(),
                None => JsValue::UNDEFINED,
            };
            on_step.call2(
                &nobody,
                &step.into_ts().map_err(conversion)?.into(),
                &observed,
            )?;
        }
        generation.rest();
        let result = GenerateResult {
            text: generation.text().to_owned(),
            tokens: generation.tokens().to_vec(),
            summary: generation.summary(),
        };
        drop(generation);
        // What the steps' work space took is given back: while nobody asks anything, the model and the cache are all there is.
        self.gpu.release_unused().await.map_err(to_js)?;
        self.cache.replace(Some(cache));
        result.into_ts().map_err(conversion)
    }

    /// Ends the running generation, if there is one, before its next chunk or step.
    pub fn cancel(&self) {
        self.cancel.borrow().cancel();
    }

    /// What the last generation's cache holds, and would hold had it evicted nothing.
    pub fn memory(&self) -> Result<Ts<MemoryReport>, JsValue> {
        let cache = self.cache.borrow();
        let report = cache.as_ref().map(ScopeCache::memory).unwrap_or_default();
        report.into_ts().map_err(conversion)
    }

    /// What `layer` of the last generation's cache holds, read back from the GPU; no head where there is no cache.
    pub async fn retained(&self, layer: usize) -> Result<Ts<RetainedLayer>, JsValue> {
        let _occupied = self.engine.occupy().map_err(to_js)?;
        self.gpu.check().map_err(to_js)?;
        let Some(cache) = self.cache.take() else {
            let heads = Vec::new();
            return RetainedLayer { layer, heads }.into_ts().map_err(conversion);
        };
        let retained = RetainedLayer::read(&cache, layer).await;
        self.cache.replace(Some(cache));
        retained.map_err(to_js)?.into_ts().map_err(conversion)
    }

    /// The model.
    pub fn model(&self) -> Result<Ts<ModelReport>, JsValue> {
        ModelReport::of(&self.engine).into_ts().map_err(conversion)
    }

    /// What is worth keeping for the next loader's `finish`, if the load has found out which way of computing is the fastest.
    pub fn tunings(&self) -> Option<String> {
        self.tunings.clone()
    }

    /// The tokens that a prompt is made of.
    pub fn tokens(&self, prompt: Ts<Prompt>) -> Result<Ts<PromptTokens>, JsValue> {
        let prompt = prompt
            .to_rust()
            .map_err(|error| invalid_argument(&format!("`prompt`: {error}")))?;
        let tokens = self.engine.encode(&prompt).map_err(to_js)?;
        let tokens = PromptTokens::of(&self.engine, tokens);
        tokens.into_ts().map_err(conversion)
    }

    /// Times `count` decode steps with `cache`, or with `bare` only their matrix products and attention. `on_step` is called
    /// with the position and the milliseconds of each. Returns how many there were: none where there is no such step.
    pub async fn measure(
        &self,
        cache: &mut WasmCache,
        count: usize,
        bare: bool,
        on_step: Function,
    ) -> Result<usize, JsValue> {
        let _occupied = self.engine.occupy().map_err(to_js)?;
        self.gpu.check().map_err(to_js)?;
        let work = if bare { Work::Bare } else { Work::Whole };
        let mut thrown = None;
        let steps = measure::steps(
            &self.engine,
            &self.gpu,
            cache.cache_mut(),
            work,
            count,
            |step| {
                let (position, ms) = (step.position as f64, step.ms);
                let called = on_step.call2(&JsValue::NULL, &position.into(), &ms.into());
                thrown = thrown.take().or(called.err());
            },
        );
        let steps = steps.await.map_err(to_js)?;
        thrown.map_or(Ok(steps), Err)
    }

    /// Frees the last generation's cache, and gives its memory back to the device.
    pub async fn forget(&self) -> Result<(), JsValue> {
        let _occupied = self.engine.occupy().map_err(to_js)?;
        self.cache.replace(None);
        self.gpu.release_unused().await.map_err(to_js)
    }
}
