//! The kernels of one model, compiled at its first decode step and kept for the generations after it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::weights::MatrixBuffers;
use super::{DecodePipeline, DecodeSizes, KernelVariant, MatrixSpec, ShaderSources, Tuning};
use crate::kernels::RowFormat;

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

type Key = (Kernel, KernelVariant, RowFormat);

/// Compiled kernels, and how they share out their work. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pipelines(Arc<Mutex<Compiled>>);

#[derive(Debug, Default)]
struct Compiled {
    pipelines: HashMap<Key, DecodePipeline>,
    tuning: Option<Tuning>,
}

impl Pipelines {
    /// How work is shared out fastest, if that was found out.
    pub(super) fn tuning(&self) -> Option<Tuning> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).tuning
    }

    /// Notes how work is shared out fastest.
    pub(super) fn tune(&self, tuning: Tuning) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).tuning = Some(tuning);
    }

    /// The kernel for `sizes` and `particular`, compiled if it has not been yet. A model has one device and one set of
    /// sizes but for the cache's type.
    pub(super) fn get(
        &self,
        device: &wgpu::Device,
        kernel: Kernel,
        sizes: &DecodeSizes,
        particular: KernelVariant,
    ) -> DecodePipeline {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let compiled = all.pipelines.entry((kernel, particular, sizes.rows));
        let compile = || {
            let texts = ShaderSources(kernel.texts());
            DecodePipeline::new(device, kernel.name(), &texts, sizes, &particular)
        };
        compiled.or_insert_with(compile).clone()
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
