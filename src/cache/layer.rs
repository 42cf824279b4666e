//! One attention layer's cache: its memory, and its numbers.

use burn::module::Module;
use burn::tensor::Tensor;

use super::config::ScopeCacheConfig;
use super::memory::LayerBytes;
use super::store::SlotStore;
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

    /// Bytes of the tensors.
    pub fn bytes(&self) -> LayerBytes {
        let store = self.store.as_ref().map(SlotStore::bytes);
        let queries = self.queries.as_ref().map(|queries| {
            let elements: usize = queries.dims().iter().product();
            (elements * queries.dtype().size()) as u64
        });
        LayerBytes {
            queries: queries.unwrap_or(0),
            ..store.unwrap_or_default()
        }
    }
}
