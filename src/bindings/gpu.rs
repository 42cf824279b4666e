//! [`Gpu`] for JavaScript.

use burn::tensor::{Tensor, TensorData};
use tsify::{Ts, Tsify};
use wasm_bindgen::prelude::*;

use super::error::{conversion, invalid_argument, to_js};
use crate::device::{DeviceLoss, Gpu, GpuMemory, GpuOptions, GpuReport};
use crate::kernels::rms_norm;

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

    /// The adapter and what it gave.
    pub fn report(&self) -> Result<Ts<GpuReport>, JsValue> {
        self.gpu.report().into_ts().map_err(conversion)
    }

    /// RMSNorm of rows as wide as `weight`, by the WGSL kernel.
    pub async fn rms_norm(
        &self,
        input: Vec<f32>,
        weight: Vec<f32>,
        epsilon: f32,
    ) -> Result<Vec<f32>, JsValue> {
        let width = weight.len();
        if width == 0 || !input.len().is_multiple_of(width) {
            return Err(invalid_argument(&format!(
                "`input` has {} values, a multiple of `weight`'s {width} (at least 1) is expected",
                input.len()
            )));
        }
        self.gpu.check().map_err(to_js)?;
        let rows = input.len() / width;
        let device = self.gpu.device();
        let input = Tensor::<2>::from_data(TensorData::new(input, [rows, width]), device);
        let weight = Tensor::<1>::from_data(TensorData::new(weight, [width]), device);
        let output = rms_norm(input, weight, epsilon).map_err(to_js)?;
        let data = self.gpu.read(output).await.map_err(to_js)?;
        data.try_to_vec()
            .map_err(|error| invalid_argument(&error.to_string()))
    }

    /// What is allocated on the device.
    pub fn memory(&self) -> Result<Ts<GpuMemory>, JsValue> {
        self.gpu.memory().into_ts().map_err(conversion)
    }

    /// Waits for the device and gives memory back that is kept for reuse.
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
