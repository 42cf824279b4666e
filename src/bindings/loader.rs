//! Loading a model from JavaScript, which brings the bytes.

use tsify::{Ts, Tsify};
use wasm_bindgen::prelude::*;

use super::engine::WasmEngine;
use super::error::{conversion, invalid_argument, to_js};
use super::gpu::WasmGpu;
use super::log::show_warnings;
use crate::device::ComputeDevice;
use crate::engine::Engine;
use crate::fused::KnownTunings;
use crate::model::{LoadProgress, ModelLoader};

/// A model that is being loaded. Freeing it cancels the load.
#[wasm_bindgen]
pub struct WasmLoader {
    loader: Option<ModelLoader>,
    device: ComputeDevice,
}

#[wasm_bindgen]
impl WasmLoader {
    /// A loader of GGUF files onto `gpu`.
    pub fn gguf(gpu: &WasmGpu) -> WasmLoader {
        show_warnings();
        let device = ComputeDevice::from(gpu.gpu().clone());
        let loader = ModelLoader::gguf(device.burn_device());
        Self {
            loader: Some(loader.with_binding_bytes(device.binding_bytes())),
            device,
        }
    }

    /// Begins the next file, of `bytes` bytes if that is known.
    pub fn begin_file(&mut self, bytes: Option<f64>) -> Result<(), JsValue> {
        // Exact: sizes of files are below 2^53.
        self.loader()?.begin_file(bytes.map(|bytes| bytes as u64));
        Ok(())
    }

    /// Takes the next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), JsValue> {
        self.loader()?.push(bytes).map_err(to_js)?;
        self.device.check().map_err(to_js)
    }

    /// Ends the file.
    pub fn end_file(&mut self) -> Result<(), JsValue> {
        self.loader()?.end_file().map_err(to_js)
    }

    /// Progress of the load.
    pub fn progress(&mut self) -> Result<Ts<LoadProgress>, JsValue> {
        self.loader()?.progress().into_ts().map_err(conversion)
    }

    /// The engine of the model that was read. `known` is what an engine's `tunings` gave earlier.
    /// The loader can't be used any more.
    pub async fn finish(&mut self, known: Option<String>) -> Result<WasmEngine, JsValue> {
        let loader = self.loader.take().ok_or_else(used)?;
        let before = KnownTunings::from_json(&known.unwrap_or_default());
        let mut known = before.clone();
        let engine = Engine::from_loader(loader, self.device.clone(), &mut known);
        let engine = engine.await.map_err(to_js)?;
        let found = (known != before).then(|| known.to_json());
        Ok(WasmEngine::new(engine, found))
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
