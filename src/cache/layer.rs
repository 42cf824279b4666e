//! One attention layer's cache: its memory, and what the host knows of it without asking the device.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::budget::TurnBudgets;
use super::config::ScopeCacheConfig;
use super::decode::HeadSlots;
use super::memory::{self, LayerBytes};
use super::store::SlotStore;

/// One layer.
#[derive(Module, Debug)]
pub(super) struct LayerCache {
    /// `None` until the first tokens come.
    pub store: Option<SlotStore>,
    /// The last queries of an open prefill, `[query_heads, at most α2, head_dim]` in f32, where the method needs them.
    pub queries: Option<Tensor<3>>,
    #[module(skip)]
    pub state: LayerState,
}

/// What the host knows. Every number here follows from the rules and the number of tokens alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LayerState {
    pub heads: Vec<HeadSlots>,
    /// Tokens that came so far, evicted or not: the next token's position.
    pub seen: usize,
    /// Tokens seen when the last prefill was finished; later positions are decode positions.
    pub boundary: usize,
    /// Slots that the last prefill filled; memory beyond them comes in blocks.
    #[serde(rename = "settled")]
    pub prompt_slots: usize,
    /// A prompt that has been appended in part or whole, but not finished.
    pub turn: Option<OpenTurn>,
    /// Steps at which a patient strategy would have acted since it last did.
    pub waited: usize,
    /// So many of the newest positions are held by every head, without a gap.
    pub unbroken: usize,
    /// Positions of the tokens at whose steps a selection ran, as ranges.
    pub selections: Vec<Range<usize>>,
    /// The turn's numbers, since its prefill was finished.
    pub budgets: TurnBudgets,
}

/// A prefill in progress.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OpenTurn {
    /// Slots in use. Heads that hold fewer have their empty slots first, so that positions ascend along the slots.
    pub width: usize,
    /// Tokens of this turn.
    pub new: usize,
}

impl LayerState {
    /// t: decode steps since the last prefill.
    pub fn step(&self) -> usize {
        self.seen - self.boundary
    }

    /// Whether all heads hold as many slots as each other.
    pub fn heads_agree(&self) -> bool {
        self.heads.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// The most slots any head holds.
    pub fn most_held(&self) -> usize {
        self.heads.iter().map(|head| head.held).max().unwrap_or(0)
    }

    /// The most that prefill kept for any head.
    pub fn most_prefill(&self) -> usize {
        self.heads
            .iter()
            .map(|head| head.prefill)
            .max()
            .unwrap_or(0)
    }

    pub fn note_selection(&mut self, position: usize) {
        match self.selections.last_mut() {
            Some(last) if last.end == position => last.end += 1,
            _ => self.selections.push(position..position + 1),
        }
    }

    /// Slots to have so that a decode step which holds `needed` fits.
    pub fn decode_capacity(&self, needed: usize, config: &ScopeCacheConfig, layer: usize) -> usize {
        let most = config
            .decode
            .rule()
            .most(self.most_prefill(), layer, &self.budgets);
        let stagger = memory::growth_stagger(layer, config.layers, config.block);
        memory::capacity(needed, stagger, self.prompt_slots, config.block, most)
    }

    /// Slots that a full cache's `layer` would have allocated for the same tokens.
    pub fn full_capacity(&self, config: &ScopeCacheConfig, layer: usize, reserved: usize) -> usize {
        match self.turn {
            _ if self.seen == 0 => 0,
            Some(turn) => {
                let before = self.seen - turn.new;
                memory::prompt_capacity(self.seen, before, reserved, config.block)
            }
            // As in our own cache: a prompt's end comes with room for a token, each token after that makes its own.
            None => {
                let needed = self.seen.max(self.boundary + 1);
                let stagger = memory::growth_stagger(layer, config.layers, config.block);
                memory::capacity(needed, stagger, self.boundary, config.block, None)
            }
        }
    }
}

impl LayerCache {
    pub fn empty(config: &ScopeCacheConfig) -> Self {
        Self {
            store: None,
            queries: None,
            state: LayerState {
                heads: vec![HeadSlots::default(); config.kv_heads],
                ..LayerState::default()
            },
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
