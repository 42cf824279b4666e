//! One attention layer's cache: its memory, and its numbers.

use burn::module::Module;
use burn::tensor::Tensor;

use super::config::ScopeCacheConfig;
use super::store::{Sizes, SlotStore};
use crate::policy::LayerState;

/// One layer.
#[derive(Module, Debug)]
pub(super) struct LayerCache {
    /// `None` until the first tokens come.
    pub store: Option<SlotStore>,
    /// The last queries of an open prefill, `[query_heads, at most α2, head_dim]` in f32, if the
    /// prefill method needs them.
    pub queries: Option<Tensor<3>>,
    #[module(skip)]
    pub state: LayerState,
}

impl LayerCache {
    pub fn empty(config: &ScopeCacheConfig) -> Self {
        Self {
            store: None,
            queries: None,
            state: LayerState::new(config.kv_heads),
        }
    }

    /// Bytes of the tensors that exist now.
    pub fn sizes(&self) -> Sizes {
        let mut sizes = self
            .store
            .as_ref()
            .map_or_else(Sizes::default, SlotStore::sizes);
        if let Some(queries) = &self.queries {
            let elements: usize = queries.dims().iter().product();
            sizes[4] = (elements * queries.dtype().size()) as u64;
        }
        sizes
    }
}
