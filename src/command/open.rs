//! Opening a model.

use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use kvscope::Error;
use kvscope::device::{Gpu, GpuOptions};
use kvscope::engine::Engine;
use kvscope::generate::Cancel;
use kvscope::model::load_model;
use pollster::block_on;

use super::arguments::Place;
use super::failure::Failure;
use super::{progress, tunings};

/// The model, loaded onto the device. `cancel` ends it with [`ModelError::Cancelled`](kvscope::model::ModelError).
pub fn open(model: &Path, place: Place, cancel: &Cancel) -> Result<Engine, Failure> {
    let gpu = match place {
        Place::Gpu => Some(Gpu::open_blocking(GpuOptions::default()).map_err(Error::from)?),
        Place::Cpu => None,
    };
    let device = gpu
        .as_ref()
        .map_or_else(Device::flex, |gpu| gpu.device().clone());

    let binding_bytes = gpu.as_ref().map_or(u64::MAX, |gpu| {
        gpu.report().limits.max_storage_buffer_binding_size
    });

    let bar = progress::bytes();
    let loaded = load_model(model, &device, binding_bytes, |read, total| {
        bar.set_length(total);
        bar.set_position(read);
        if cancel.is_cancelled() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    bar.finish_and_clear();
    let loaded = loaded?;
    let tokenizer = loaded.tokenizer().map_err(Error::from)?;
    let engine = Engine::new(loaded.model, tokenizer, device);
    Ok(match gpu {
        Some(gpu) => {
            // Writes go to the GPU without an answer; what failed is known once something is read.
            block_on(gpu.settle()).map_err(Error::from)?;
            let engine = engine.with_gpu(gpu);
            tune(&engine)?;
            engine
        }
        None => engine,
    })
}

/// What runs `engine`, by name.
pub fn adapter(engine: &Engine) -> String {
    match engine.gpu() {
        Some(gpu) => gpu.report().name.clone(),
        None => "burn's CPU device".to_owned(),
    }
}

/// As was found out before, or is found out now and kept.
fn tune(engine: &Engine) -> Result<(), Error> {
    let folder = tunings::folder();
    let before = folder.as_deref().map(tunings::read).unwrap_or_default();
    let mut known = before.clone();
    block_on(engine.tune(&mut known))?;
    if let Some(folder) = folder.filter(|_| known != before) {
        tunings::write(&folder, &known);
    }
    Ok(())
}
