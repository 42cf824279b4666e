//! One layer's kernels, bound to its weights and to its memory in the cache.

use super::buffers::AttentionScratch;
use super::kernels::{Binder, LayerBinding};
use super::pipeline::BoundKernel;
use super::submission::Dispatch;
use super::weights::ModelWeights;
use crate::cache::LayerBuffers;
use crate::kernels::KernelError;

/// The kernels of one layer, in the order of a step; the first step after binding needs
/// [`first_empty`](Self::first_empty) too.
pub(super) struct LayerKernels {
    /// Stamp of the cache's memory that they are bound to.
    pub stamp: Option<u64>,
    pub first_empty: Dispatch,
    /// One for each matrix that holds queries, keys or values.
    pub project: Vec<Dispatch>,
    /// `None` if the cache's types have no frame.
    pub store: Option<Dispatch>,
    /// Its grid follows from the slots in use.
    pub attend: BoundKernel,
    pub combine: Dispatch,
    pub evict: Dispatch,
    pub output: Dispatch,
    pub gate_up: Dispatch,
    pub down: Dispatch,
}

impl LayerKernels {
    /// Binds the kernels of `layer` to `memory`, whose stamp is `stamp`.
    ///
    /// # Errors
    ///
    /// [`KernelError::Binding`] if names in Rust and WGSL differ.
    pub fn bind(
        binder: &Binder<'_>,
        weights: &ModelWeights,
        layer: usize,
        memory: &LayerBuffers,
        stamp: Option<u64>,
        scratch: &AttentionScratch,
    ) -> Result<Self, KernelError> {
        let own = &weights.layers[layer];
        let at = binder.sizes.activations();
        let bound = LayerBinding {
            memory,
            place: binder.buffers.place(layer),
            scratch,
        };
        let extras = own.extras.as_ref().map(|(extras, _)| extras);
        let project = own.heads.iter();
        let project = project.map(|heads| binder.project_heads(&bound, heads, extras));
        Ok(Self {
            stamp,
            first_empty: binder.first_empty(&bound)?,
            project: project.collect::<Result<_, _>>()?,
            store: binder.store_heads(&bound)?,
            attend: binder.attend(&bound)?,
            combine: binder.combine(&bound)?,
            evict: binder.evict(&bound)?,
            output: binder.add_product(&own.output, at.attended, &own.feed_forward_norm)?,
            gate_up: binder.gate_up(&own.gate_up)?,
            down: binder.add_product(&own.down, at.feed_forward, weights.norm_after(layer + 1))?,
        })
    }
}
