//! Generating text: prompts, the loop, the choice of tokens, and its end.

use kvscope::device::ComputeDevice;
use kvscope::engine::Engine;
use kvscope::fused::KnownTunings;
use kvscope::model::ModelLoader;
use pollster::block_on;

use crate::support::devices;
use crate::support::tiny_model::TinyModel;

mod chunks;
mod finite;
mod generation;
mod loss;
mod prompts;
mod sampling;
mod saved;
mod session;
mod stop;

fn compute_devices() -> [ComputeDevice; 2] {
    [ComputeDevice::Cpu, devices::opened().clone().into()]
}

fn engine(tiny: &TinyModel, device: &ComputeDevice) -> Engine {
    let mut loader = ModelLoader::gguf(device.burn_device());
    loader.begin_file(None);
    loader.push(&tiny.gguf().bytes()).unwrap();
    loader.end_file().unwrap();
    let known = &mut KnownTunings::default();
    block_on(Engine::from_loader(loader, device.clone(), known)).unwrap()
}
