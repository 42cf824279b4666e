//! Benches' part of the module: timing an [`Engine`](crate::engine::Engine)'s decode steps on a
//! saved cache. The shipped module has none of it.

use js_sys::Function;
use tsify::{Ts, Tsify};
use wasm_bindgen::prelude::*;

use super::engine::WasmEngine;
use super::error::{conversion, to_js};
use super::gpu::WasmGpu;
use crate::cache::{MemoryReport, ScopeCache};
use crate::measure::{self, Work};

/// A saved cache, in a GPU's memory again.
#[wasm_bindgen]
pub struct WasmCache {
    cache: ScopeCache,
}

#[wasm_bindgen]
impl WasmCache {
    /// Loads the cache that was saved as `bytes` onto `gpu`.
    pub fn load(gpu: &WasmGpu, bytes: &[u8]) -> Result<WasmCache, JsValue> {
        let cache = ScopeCache::load(bytes, gpu.gpu().device()).map_err(to_js)?;
        Ok(Self { cache })
    }

    /// Memory that it holds, and would hold had it evicted nothing.
    pub fn memory(&self) -> Result<Ts<MemoryReport>, JsValue> {
        self.cache.memory().into_ts().map_err(conversion)
    }
}

#[wasm_bindgen]
impl WasmEngine {
    /// Times `count` decode steps with `cache`, or with `bare` only their matrix products and
    /// attention. `on_step` is called with the position and the milliseconds of each. Returns the
    /// number of steps: 0 where there is no such step.
    pub async fn measure(
        &self,
        cache: &mut WasmCache,
        count: usize,
        bare: bool,
        on_step: Function,
    ) -> Result<usize, JsValue> {
        let engine = self.engine();
        let _occupied = engine.occupy().map_err(to_js)?;
        let Some(gpu) = engine.device().gpu() else {
            return Ok(0);
        };
        gpu.check().map_err(to_js)?;
        let work = if bare { Work::Bare } else { Work::Whole };
        let mut thrown = None;
        let steps = measure::steps(engine, gpu, &mut cache.cache, work, count, |step| {
            let (position, ms) = (step.position as f64, step.ms);
            let called = on_step.call2(&JsValue::NULL, &position.into(), &ms.into());
            thrown = thrown.take().or(called.err());
        });
        let steps = steps.await.map_err(to_js)?;
        thrown.map_or(Ok(steps), Err)
    }
}
