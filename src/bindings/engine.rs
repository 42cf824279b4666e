//! [`Engine`] for JavaScript.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use js_sys::{Function, Uint8Array};
use tsify::{Ts, Tsify};
use wasm_bindgen::prelude::*;

use super::error::{conversion, invalid_argument, to_js};
use super::logprobs::StepLogprobs;
use super::report::{ModelReport, PromptTokens};
use super::request::{GenerateRequest, GenerateResult};
use super::retained::RetainedLayer;
use super::session::{SavedSession, SessionToSave};
use crate::cache::MemoryReport;
use crate::engine::{Conversation, Engine, Prompt, Session};
use crate::generate::Cancel;

/// A loaded model, and the sequences that it holds, each by the number of its session. A session
/// without an entry holds nothing.
#[wasm_bindgen]
pub struct WasmEngine {
    engine: Engine,
    cancel: RefCell<Cancel>,
    sessions: RefCell<BTreeMap<u32, Session>>,
    tunings: Option<String>,
}

impl WasmEngine {
    pub(super) fn new(engine: Engine, tunings: Option<String>) -> Self {
        Self {
            engine,
            cancel: RefCell::default(),
            sessions: RefCell::default(),
            tunings,
        }
    }

    #[cfg(feature = "bench")]
    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    fn take(&self, session: u32) -> Option<Session> {
        self.sessions.borrow_mut().remove(&session)
    }

    fn hold(&self, session: u32, held: Session) {
        self.sessions.borrow_mut().insert(session, held);
    }

    /// Generates in `session`.
    async fn reply(
        &self,
        session: &mut Session,
        request: GenerateRequest,
        cancel: Cancel,
        [on_prefill, on_step]: [Function; 2],
    ) -> Result<GenerateResult, JsValue> {
        let generation = self
            .engine
            .resume(session, &request.prompt, request.config)
            .await
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
        let only_prefill = request.only_prefill;
        while !only_prefill && let Some(step) = generation.next().await.map_err(to_js)? {
            let observed = match &request.observe {
                Some(observe) => observe.read(step.index, generation.cache()).await,
                None => Ok(None),
            };
            let observed = match observed.map_err(to_js)? {
                Some(layers) => layers.into_ts().map_err(conversion)?.into(),
                None => JsValue::UNDEFINED,
            };
            let logprobs = if request.logprobs {
                let logprobs = StepLogprobs::of(&self.engine, &step);
                logprobs.into_ts().map_err(conversion)?.into()
            } else {
                JsValue::UNDEFINED
            };
            on_step.call3(
                &nobody,
                &step.into_ts().map_err(conversion)?.into(),
                &observed,
                &logprobs,
            )?;
        }
        generation.rest();
        Ok(GenerateResult {
            text: generation.text().to_owned(),
            tokens: generation.tokens().to_vec(),
            summary: generation.summary(),
        })
    }
}

#[wasm_bindgen]
impl WasmEngine {
    /// Generates, after what the session's cache holds of the prompt. `on_prefill` is
    /// called with the number of the prompt's tokens that are done, and of all. `on_step` is called
    /// with each step, and with the observed layers and logprobs that the request asks for. An
    /// exception of either ends the generation and is thrown here.
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
        let fresh = self.engine.session(&request.cache).map_err(to_js)?;
        let number = request.session;
        let held = self.take(number);
        // A sequence of no use gives up its memory to this generation.
        let of_use = |held: &Session| request.reuse && *held.rules() == request.cache;
        let mut session = held.filter(of_use).unwrap_or(fresh);
        let result = self
            .reply(&mut session, request, cancel, [on_prefill, on_step])
            .await;
        // Frees the steps' work space: until the next request, only model and cache need memory.
        let released = self.engine.device().release_unused().await;
        self.hold(number, session);
        let result = result?;
        released.map_err(to_js)?;
        result.into_ts().map_err(conversion)
    }

    /// Ends the running generation, if any, before its next chunk or step.
    pub fn cancel(&self) {
        self.cancel.borrow().cancel();
    }

    /// Memory that a session's cache holds, and would hold had it evicted nothing.
    pub fn memory(&self, session: u32) -> Result<Ts<MemoryReport>, JsValue> {
        let sessions = self.sessions.borrow();
        let report = sessions.get(&session).map(|it| it.cache().memory());
        let report = report.unwrap_or_default();
        report.into_ts().map_err(conversion)
    }

    /// Slots that `layer` of a session's cache holds, read back from the GPU. No head without a
    /// cache.
    pub async fn retained(&self, session: u32, layer: usize) -> Result<Ts<RetainedLayer>, JsValue> {
        let _occupied = self.engine.occupy().map_err(to_js)?;
        self.engine.device().check().map_err(to_js)?;
        let Some(held) = self.take(session) else {
            let retained = RetainedLayer {
                layer,
                window: self.engine.model().config().layer(layer).window,
                heads: Vec::new(),
            };
            return retained.into_ts().map_err(conversion);
        };
        let retained = RetainedLayer::read(held.cache(), layer).await;
        self.hold(session, held);
        retained.map_err(to_js)?.into_ts().map_err(conversion)
    }

    /// Makes session `branch` hold what `session` does. They share memory until one of them grows.
    pub fn fork(&self, session: u32, branch: u32) {
        let mut sessions = self.sessions.borrow_mut();
        if let Some(held) = sessions.get(&session).cloned() {
            sessions.insert(branch, held);
        }
    }

    /// The bytes of a session, to load it from later.
    pub async fn save(&self, request: Ts<SessionToSave>) -> Result<Uint8Array, JsValue> {
        let SessionToSave {
            session,
            cache,
            conversation,
        } = request
            .to_rust()
            .map_err(|error| invalid_argument(&format!("`session`: {error}")))?;
        let _occupied = self.engine.occupy().map_err(to_js)?;
        self.engine.device().check().map_err(to_js)?;
        let fresh = self.engine.session(&cache).map_err(to_js)?;
        let held = self.take(session).unwrap_or(fresh);
        let bytes = self.engine.save_session(&held, &conversation).await;
        self.hold(session, held);
        Ok(Uint8Array::from(bytes.map_err(to_js)?.as_slice()))
    }

    /// Makes a session hold what the bytes of [`save`](Self::save) do.
    pub fn load(&self, session: u32, bytes: &[u8]) -> Result<Ts<SavedSession>, JsValue> {
        let _occupied = self.engine.occupy().map_err(to_js)?;
        self.engine.device().check().map_err(to_js)?;
        let (held, conversation) = self.engine.load_session(bytes).map_err(to_js)?;
        let saved = SavedSession {
            cache: held.rules().clone(),
            tokens: held.tokens().len(),
            held_bytes: held.cache().memory().held_bytes,
            conversation,
        };
        self.hold(session, held);
        saved.into_ts().map_err(conversion)
    }

    /// The tokens with which every next turn of a conversation begins.
    pub fn beginning(&self, conversation: Ts<Conversation>) -> Result<Vec<u32>, JsValue> {
        let conversation = conversation
            .to_rust()
            .map_err(|error| invalid_argument(&format!("`conversation`: {error}")))?;
        self.engine.beginning(&conversation).map_err(to_js)
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

    /// Frees the caches of sessions, and their memory.
    pub async fn forget(&self, sessions: Vec<u32>) -> Result<(), JsValue> {
        let _occupied = self.engine.occupy().map_err(to_js)?;
        for session in sessions {
            self.take(session);
        }
        self.engine.device().release_unused().await.map_err(to_js)
    }
}
