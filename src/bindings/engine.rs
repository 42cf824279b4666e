//! [`Engine`] for JavaScript.

use std::cell::RefCell;
use std::ops::ControlFlow;

use js_sys::Function;
use tsify::{Ts, Tsify};
use wasm_bindgen::prelude::*;

use super::error::{conversion, invalid_argument, to_js};
use super::report::{ModelReport, PromptTokens};
use super::request::{GenerateRequest, GenerateResult};
use super::retained::RetainedLayer;
use crate::cache::{MemoryReport, ScopeCache};
use crate::engine::{Engine, Prompt};
use crate::generate::Cancel;

/// A loaded model, and the cache of its last generation.
#[wasm_bindgen]
pub struct WasmEngine {
    engine: Engine,
    cancel: RefCell<Cancel>,
    cache: RefCell<Option<ScopeCache>>,
    tunings: Option<String>,
}

impl WasmEngine {
    pub(super) fn new(engine: Engine, tunings: Option<String>) -> Self {
        Self {
            engine,
            cancel: RefCell::default(),
            cache: RefCell::default(),
            tunings,
        }
    }

    #[cfg(feature = "bench")]
    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }
}

#[wasm_bindgen]
impl WasmEngine {
    /// Generates, in a new cache. `on_prefill` is called with the number of the prompt's tokens
    /// that are done, and of all. `on_step` is called with each step and, where the request
    /// observes it, the cache's layers. An exception of either ends the generation and is thrown
    /// here.
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
        self.engine.device().check().map_err(to_js)?;
        let cancel = Cancel::new();
        self.cancel.replace(cancel.clone());
        // Frees the last generation's memory for this one's.
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
        // Frees the steps' work space: until the next request, only model and cache need memory.
        self.engine.device().release_unused().await.map_err(to_js)?;
        self.cache.replace(Some(cache));
        result.into_ts().map_err(conversion)
    }

    /// Ends the running generation, if any, before its next chunk or step.
    pub fn cancel(&self) {
        self.cancel.borrow().cancel();
    }

    /// Memory that the last generation's cache holds, and would hold had it evicted nothing.
    pub fn memory(&self) -> Result<Ts<MemoryReport>, JsValue> {
        let cache = self.cache.borrow();
        let report = cache.as_ref().map(ScopeCache::memory).unwrap_or_default();
        report.into_ts().map_err(conversion)
    }

    /// Slots that `layer` of the last generation's cache holds, read back from the GPU. No head
    /// without a cache.
    pub async fn retained(&self, layer: usize) -> Result<Ts<RetainedLayer>, JsValue> {
        let _occupied = self.engine.occupy().map_err(to_js)?;
        self.engine.device().check().map_err(to_js)?;
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

    /// Tunings to keep for the next loader's `finish`, if the load has measured one.
    pub fn tunings(&self) -> Option<String> {
        self.tunings.clone()
    }

    /// A prompt's tokens.
    pub fn tokens(&self, prompt: Ts<Prompt>) -> Result<Ts<PromptTokens>, JsValue> {
        let prompt = prompt
            .to_rust()
            .map_err(|error| invalid_argument(&format!("`prompt`: {error}")))?;
        let tokens = self.engine.encode(&prompt).map_err(to_js)?;
        let tokens = PromptTokens::of(&self.engine, tokens);
        tokens.into_ts().map_err(conversion)
    }

    /// Frees the last generation's cache and its memory.
    pub async fn forget(&self) -> Result<(), JsValue> {
        let _occupied = self.engine.occupy().map_err(to_js)?;
        self.cache.replace(None);
        self.engine.device().release_unused().await.map_err(to_js)
    }
}
