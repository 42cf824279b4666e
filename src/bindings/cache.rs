//! [`ScopeCache`] for JavaScript.

use tsify::{Ts, Tsify};
use wasm_bindgen::prelude::*;

use super::error::{conversion, to_js};
use super::gpu::WasmGpu;
use crate::cache::{MemoryReport, ScopeCache};

/// A cache that was saved, in the memory of a GPU again.
#[wasm_bindgen]
pub struct WasmCache {
    cache: ScopeCache,
}

#[wasm_bindgen]
impl WasmCache {
    /// The cache that `bytes` were saved of, on `gpu`.
    pub fn load(gpu: &WasmGpu, bytes: &[u8]) -> Result<WasmCache, JsValue> {
        let cache = ScopeCache::load(bytes, gpu.gpu().device()).map_err(to_js)?;
        Ok(Self { cache })
    }

    /// What it holds, and would hold had it evicted nothing.
    pub fn memory(&self) -> Result<Ts<MemoryReport>, JsValue> {
        self.cache.memory().into_ts().map_err(conversion)
    }
}

impl WasmCache {
    pub(super) fn cache_mut(&mut self) -> &mut ScopeCache {
        &mut self.cache
    }
}
