//! The kernels of one model, compiled at its first decode step and kept for the generations after it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::tensor::Device;

use super::weights::MatrixBuffers;
use super::{DecodePipeline, DecodeSizes, KernelVariant, MatrixSpec, ShaderSources, Tuning};
use crate::device::Gpu;

macro_rules! shader {
    ($file:literal) => {
        include_str!(concat!("../../shaders/decode/", $file))
    };
}

/// A kernel of a decode step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kernel {
    FirstEmpty,
    Embed,
    ProjectHeads,
    Attend,
    Combine,
    Evict,
    AddProduct,
    GateUp,
    Logits,
    ChooseParts,
    Choose,
    Draw,
}

impl Kernel {
    fn texts(self) -> &'static [&'static str] {
        match self {
            Self::FirstEmpty => &[shader!("first_empty.wgsl")],
            Self::Embed => &[shader!("embed.wgsl")],
            Self::ProjectHeads => &[
                shader!("project_heads.wgsl"),
                shader!("product.wgsl"),
                shader!("rms.wgsl"),
            ],
            Self::Attend => &[shader!("attend.wgsl")],
            Self::Combine => &[shader!("combine.wgsl")],
            Self::Evict => &[shader!("evict.wgsl")],
            Self::AddProduct => &[shader!("add_product.wgsl"), shader!("product.wgsl")],
            Self::GateUp => &[
                shader!("gate_up.wgsl"),
                shader!("product.wgsl"),
                shader!("rms.wgsl"),
            ],
            Self::Logits => &[
                shader!("logits.wgsl"),
                shader!("product.wgsl"),
                shader!("rms.wgsl"),
            ],
            Self::ChooseParts => &[shader!("choose_parts.wgsl"), shader!("both.wgsl")],
            Self::Choose => &[shader!("choose.wgsl"), shader!("both.wgsl")],
            Self::Draw => &[shader!("draw.wgsl"), shader!("both.wgsl")],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::FirstEmpty => "first_empty",
            Self::Embed => "embed",
            Self::ProjectHeads => "project_heads",
            Self::Attend => "attend",
            Self::Combine => "combine",
            Self::Evict => "evict",
            Self::AddProduct => "add_product",
            Self::GateUp => "gate_up",
            Self::Logits => "logits",
            Self::ChooseParts => "choose_parts",
            Self::Choose => "choose",
            Self::Draw => "draw",
        }
    }
}

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
    kernels: HashMap<(Kernel, KernelVariant), DecodePipeline>,
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
        kernel: Kernel,
        sizes: &DecodeSizes,
        variant: KernelVariant,
    ) -> DecodePipeline {
        let mut compiled = self.compiled();
        let pipeline = compiled.set(gpu.device(), sizes).entry((kernel, variant));
        let (device, _) = gpu.wgpu();
        let compile = || {
            let texts = ShaderSources(kernel.texts());
            DecodePipeline::new(device, kernel.name(), &texts, sizes, &variant)
        };
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
    ) -> &mut HashMap<(Kernel, KernelVariant), DecodePipeline> {
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

/// What a template has to know of `buffers`' matrix, with `tile` rows a workgroup.
pub(super) fn matrix_spec(buffers: &MatrixBuffers, tile: usize) -> MatrixSpec {
    let shape = buffers.matrix.shape();
    MatrixSpec {
        format: shape.format,
        height: buffers.height,
        groups: shape.width / 32,
        tile,
    }
}
