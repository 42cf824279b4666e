//! [`Gpu`] for JavaScript.

use tsify::{Ts, Tsify};
use wasm_bindgen::prelude::*;

use super::error::{conversion, invalid_argument, to_js};
use crate::device::{DeviceLoss, Gpu, GpuMemory, GpuOptions, GpuReport};

/// An open GPU.
#[wasm_bindgen]
pub struct WasmGpu {
    gpu: Gpu,
}

#[wasm_bindgen]
impl WasmGpu {
    /// Requests an adapter and a device of its own.
    pub async fn open(options: Ts<GpuOptions>) -> Result<WasmGpu, JsValue> {
        let options = options
            .to_rust()
            .map_err(|error| invalid_argument(&format!("`options`: {error}")))?;
        let gpu = Gpu::open(options).await.map_err(to_js)?;
        Ok(Self { gpu })
    }

    /// The adapter, its features and limits.
    pub fn report(&self) -> Result<Ts<GpuReport>, JsValue> {
        self.gpu.report().into_ts().map_err(conversion)
    }

    /// Waits until the device has done all that was asked of it.
    pub async fn ping(&self) -> Result<(), JsValue> {
        self.gpu.settle().await.map_err(to_js)
    }

    /// Memory allocated on the device.
    pub fn memory(&self) -> Result<Ts<GpuMemory>, JsValue> {
        self.gpu.memory().into_ts().map_err(conversion)
    }

    /// Waits for the device, then frees memory that is kept for reuse.
    pub async fn release_unused(&self) -> Result<(), JsValue> {
        self.gpu.release_unused().await.map_err(to_js)
    }

    /// Resolves when the device is lost.
    pub async fn lost(&self) -> Result<Ts<DeviceLoss>, JsValue> {
        self.gpu.lost().await.into_ts().map_err(conversion)
    }

    /// Destroys the device.
    pub fn destroy(&self) {
        self.gpu.destroy();
    }
}

impl WasmGpu {
    pub(super) fn gpu(&self) -> &Gpu {
        &self.gpu
    }
}
