//! The compiled kernels of an engine, kept from one generation to the next, and its tuning.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::tensor::Device;

use super::kernels::Kernel;
use super::{DecodePipeline, DecodeSizes, KernelVariant, Tuning};
use crate::device::Gpu;

/// Compiled kernels, and the tuning that was found to be the fastest. Clones share both.
#[derive(Debug, Clone, Default)]
pub struct Pipelines(Arc<Mutex<Compiled>>);

#[derive(Debug, Default)]
struct Compiled {
    sets: Vec<KernelSet>,
    tuning: Option<Tuning>,
}

/// The kernels of one model with one storage of keys and values, on one device.
#[derive(Debug)]
struct KernelSet {
    /// burn's, since wgpu's devices of different instances may compare as equal.
    device: Device,
    sizes: DecodeSizes,
    kernels: HashMap<(&'static str, KernelVariant), DecodePipeline>,
}

impl Pipelines {
    /// The fastest tuning, if it has been measured or read.
    pub(super) fn tuning(&self) -> Option<Tuning> {
        self.compiled().tuning
    }

    /// Notes the fastest tuning, for the decoders made after this.
    pub(super) fn set_tuning(&self, tuning: Tuning) {
        self.compiled().tuning = Some(tuning);
    }

    /// `kernel` for `sizes` and `variant`, compiled if it has not been yet.
    pub(super) fn get(
        &self,
        gpu: &Gpu,
        kernel: &Kernel,
        sizes: &DecodeSizes,
        variant: KernelVariant,
    ) -> DecodePipeline {
        let mut compiled = self.compiled();
        let pipeline = compiled
            .set(gpu.device(), sizes)
            .entry((kernel.name, variant));
        let (device, _) = gpu.wgpu();
        let compile = || DecodePipeline::new(device, kernel.name, &kernel.sources, sizes, &variant);
        pipeline.or_insert_with(compile).clone()
    }

    fn compiled(&self) -> MutexGuard<'_, Compiled> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Compiled {
    fn set(
        &mut self,
        device: &Device,
        sizes: &DecodeSizes,
    ) -> &mut HashMap<(&'static str, KernelVariant), DecodePipeline> {
        let found = self
            .sets
            .iter()
            .position(|set| set.device == *device && set.sizes == *sizes);
        let index = found.unwrap_or_else(|| {
            self.sets.push(KernelSet {
                device: device.clone(),
                sizes: *sizes,
                kernels: HashMap::new(),
            });
            self.sets.len() - 1
        });
        &mut self.sets[index].kernels
    }
}
