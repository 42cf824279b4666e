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
    /// Sums of the squares of a first prompt's queries, `[kv_heads, head_dim]`, if its keys will be
    /// in a frame.
    pub squares: Option<Tensor<2>>,
    #[module(skip)]
    pub state: LayerState,
}

impl LayerCache {
    pub fn empty(config: &ScopeCacheConfig) -> Self {
        Self {
            store: None,
            queries: None,
            squares: None,
            state: LayerState::new(config.kv_heads),
        }
    }

    /// The earliest position that has an exact row, but for the first ones.
    pub fn exact_from(&self) -> usize {
        let rows = self
            .store
            .iter()
            .flat_map(|store| [&store.keys, &store.values]);
        let exact = rows.filter_map(|rows| rows.exact.as_ref());
        exact
            .map(|exact| exact.from(self.state.seen))
            .max()
            .unwrap_or(0)
    }

    /// Bytes of the tensors.
    pub fn bytes(&self) -> LayerBytes {
        let store = self.store.as_ref().map(SlotStore::bytes);
        let queries = self.queries.as_ref().map(|queries| {
            let elements: usize = queries.dims().iter().product();
            (elements * queries.dtype().size()) as u64
        });
        let squares = self.squares.as_ref().map(|squares| {
            let elements: usize = squares.dims().iter().product();
            4 * elements as u64
        });
        LayerBytes {
            queries: queries.unwrap_or(0) + squares.unwrap_or(0),
            ..store.unwrap_or_default()
        }
    }
}
