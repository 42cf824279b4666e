//! One layer's kernels, bound to its weights and to its memory in the cache.

use super::buffers::AttentionScratch;
use super::kernels::{Binder, LayerBinding};
use super::pipeline::BoundKernel;
use super::submission::Dispatch;
use super::weights::{HeldBuffer, ModelWeights};
use crate::cache::LayerBuffers;
use crate::kernels::{BoundBuffer, KernelError};

/// The kernels of one layer, in the order of a step; the first step after binding needs
/// [`first_empty`](Self::first_empty) too.
pub(super) struct LayerKernels {
    /// Stamp of the cache's memory that they are bound to.
    pub stamp: Option<u64>,
    pub first_empty: Dispatch,
    /// One for each matrix that holds queries, keys or values.
    pub project: Vec<Dispatch>,
    /// `None` if no norm goes over all heads.
    pub finish: Option<Dispatch>,
    /// `None` if the cache's types have no frame.
    pub store: Option<Dispatch>,
    /// Its grid follows from the slots in use.
    pub attend: BoundKernel,
    pub combine: Dispatch,
    pub evict: Dispatch,
    pub output: Dispatch,
    /// `None` if the model has no norms after.
    pub attention_post_norm: Option<Dispatch>,
    pub gate_up: Dispatch,
    pub down: Dispatch,
    /// `None` if the model has no norms after.
    pub feed_forward_post_norm: Option<Dispatch>,
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
        let extras = own.extras.as_ref().map(HeldBuffer::buffer);
        let biases = &own.biases;
        let next_norm = weights.norm_after(layer + 1);
        let added = |norm: Option<&BoundBuffer>, next: &BoundBuffer| {
            norm.map(|norm| binder.add_normed(norm, next)).transpose()
        };
        let project = own.heads.iter();
        let project = project.map(|heads| binder.project_heads(&bound, heads, extras, own.rope));
        Ok(Self {
            stamp,
            first_empty: binder.first_empty(&bound)?,
            project: project.collect::<Result<_, _>>()?,
            finish: binder.finish_heads(&bound, extras, own.rope)?,
            store: binder.store_heads(&bound)?,
            attend: binder.attend(&bound)?,
            combine: binder.combine(&bound)?,
            evict: binder.evict(&bound)?,
            output: binder.add_product(
                &own.output,
                at.attended,
                own.feed_forward_norm.buffer(),
                biases.output.as_ref().map(HeldBuffer::buffer),
            )?,
            attention_post_norm: added(
                own.attention_post_norm.as_ref(),
                own.feed_forward_norm.buffer(),
            )?,
            gate_up: binder.gate_up(
                &own.gate_up,
                biases.gate_up.as_ref().map(HeldBuffer::buffer),
            )?,
            down: binder.add_product(
                &own.down,
                at.feed_forward,
                next_norm,
                biases.down.as_ref().map(HeldBuffer::buffer),
            )?,
            feed_forward_post_norm: added(own.feed_forward_post_norm.as_ref(), next_norm)?,
        })
    }
}
