//! Loading a model for JavaScript, which brings the bytes.

use tsify::{Ts, Tsify};
use wasm_bindgen::prelude::*;

use super::engine::WasmEngine;
use super::error::{conversion, invalid_argument, to_js};
use super::gpu::WasmGpu;
use crate::device::Gpu;
use crate::engine::Engine;
use crate::fused::KnownTunings;
use crate::model::{LoadProgress, ModelLoader};

/// A model that is being loaded. Freeing it cancels the load.
#[wasm_bindgen]
pub struct WasmLoader {
    loader: Option<ModelLoader>,
    gpu: Gpu,
}

#[wasm_bindgen]
impl WasmLoader {
    /// From GGUF files, onto `gpu`.
    pub fn gguf(gpu: &WasmGpu) -> WasmLoader {
        let gpu = gpu.gpu().clone();
        let bytes = gpu.report().limits.max_storage_buffer_binding_size;
        let loader = ModelLoader::gguf(gpu.device().clone()).with_binding_bytes(bytes);
        Self {
            loader: Some(loader),
            gpu,
        }
    }

    /// Says that the next file begins, and how many bytes it has, if that is known.
    pub fn begin_file(&mut self, bytes: Option<f64>) -> Result<(), JsValue> {
        // Sizes of files are below 2^53.
        self.loader()?.begin_file(bytes.map(|bytes| bytes as u64));
        Ok(())
    }

    /// Takes the next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), JsValue> {
        self.loader()?.push(bytes).map_err(to_js)?;
        self.gpu.check().map_err(to_js)
    }

    /// Says that the file has ended.
    pub fn end_file(&mut self) -> Result<(), JsValue> {
        self.loader()?.end_file().map_err(to_js)
    }

    /// How far the load has come.
    pub fn progress(&mut self) -> Result<Ts<LoadProgress>, JsValue> {
        self.loader()?.progress().into_ts().map_err(conversion)
    }

    /// The model with its tokenizer. The loader is of no use then. `known` is what an engine's `tunings` gave earlier.
    pub async fn finish(&mut self, known: Option<String>) -> Result<WasmEngine, JsValue> {
        self.loader()?;
        let loader = self.loader.take().ok_or_else(used)?;
        let device = self.gpu.device().clone();
        let engine = Engine::from_gguf(loader, device).map_err(to_js)?;
        // Writes go to the GPU without an answer; what failed is known once something is read.
        self.gpu.settle().await.map_err(to_js)?;
        let engine = engine.with_gpu(self.gpu.clone());
        let before = KnownTunings::from_json(&known.unwrap_or_default());
        let mut known = before.clone();
        engine.tune(&mut known).await.map_err(to_js)?;
        let found = (known != before).then(|| known.to_json());
        Ok(WasmEngine::new(engine, &self.gpu, found))
    }
}

impl WasmLoader {
    fn loader(&mut self) -> Result<&mut ModelLoader, JsValue> {
        self.loader.as_mut().ok_or_else(used)
    }
}

fn used() -> JsValue {
    invalid_argument("this loader has given its model away: make another")
}
