//! One layer's slots: keys, values, the position that each slot holds, and the scores of the last selection.

use burn::module::Module;
use burn::tensor::ops::IndexingUpdateOp;
use burn::tensor::{Bool, Device, Int, IntDType, Tensor};

use super::config::{CacheType, ScopeCacheConfig};
use super::in_place::LayerBuffers;
use super::part::part;
use super::rows::Rows;
use crate::kernels::{KernelError, buffer_of, int_buffer_of};

/// The position of an empty slot.
pub(super) const EMPTY: i32 = -1;

/// One layer's memory. Slots are in no order; a position tells what a slot holds.
#[derive(Module, Debug)]
pub(super) struct SlotStore {
    pub keys: Rows,
    pub values: Rows,
    /// `[kv_heads, capacity]`, [`EMPTY`] where a slot holds nothing.
    pub positions: Tensor<2, Int>,
    /// `[kv_heads, capacity]` in f32.
    pub scores: Tensor<2>,
}

/// Bytes of a layer's tensors, in one order everywhere: keys, values, positions, scores, waiting queries.
pub(super) type Sizes = [u64; 5];

/// What [`SlotStore::sizes`] will be with `capacity` slots.
pub(super) fn sizes_of(config: &ScopeCacheConfig, capacity: usize) -> Sizes {
    let slots = config.kv_heads as u64 * capacity as u64;
    let rows = slots * (config.head_dim * config.cache_type.size()) as u64;
    [rows, rows, slots * 4, slots * 4, 0]
}

impl SlotStore {
    pub fn empty(
        heads: usize,
        capacity: usize,
        dim: usize,
        cache_type: CacheType,
        device: &Device,
    ) -> Self {
        exactly(device, (), |()| Self {
            keys: Rows::zeros([heads, capacity, dim], cache_type, device),
            values: Rows::zeros([heads, capacity, dim], cache_type, device),
            positions: Tensor::full([heads, capacity], EMPTY, device),
            scores: Tensor::zeros([heads, capacity], device),
        })
    }

    pub fn capacity(&self) -> usize {
        self.keys.capacity()
    }

    pub fn device(&self) -> Device {
        self.keys.device()
    }

    pub fn sizes(&self) -> Sizes {
        let slots: usize = self.positions.dims().iter().product();
        [
            self.keys.size(),
            self.values.size(),
            (slots * self.positions.dtype().size()) as u64,
            (slots * self.scores.dtype().size()) as u64,
            0,
        ]
    }

    /// Whether nothing else refers to its memory.
    pub fn is_unshared(&self) -> bool {
        let rows = self.keys.is_unshared() && self.values.is_unshared();
        rows && self.positions.can_mut() && self.scores.can_mut()
    }

    /// The same in memory of its own.
    pub fn copied(self) -> Self {
        let [_, capacity] = self.positions.dims();
        Self {
            keys: self.keys.copied(),
            values: self.values.copied(),
            positions: part(self.positions, 1, 0..capacity),
            scores: part(self.scores, 1, 0..capacity),
        }
    }

    /// Its memory, for kernels that write into it.
    pub fn buffers(&self) -> Result<LayerBuffers, KernelError> {
        Ok(LayerBuffers {
            keys: self.keys.buffer()?,
            values: self.values.buffer()?,
            positions: int_buffer_of(&self.positions)?,
            scores: buffer_of(&self.scores)?,
            capacity: self.capacity(),
        })
    }

    /// Puts a token, key and value `[kv_heads, head_dim]`, into an empty slot of each head. There must be one.
    ///
    /// An empty slot's position is less than any other, so it is where the least is.
    pub fn put(self, key: Tensor<2>, value: Tensor<2>, position: usize) -> Self {
        let [heads, capacity] = self.positions.dims();
        let device = self.device();
        let first = first_slots(heads, capacity, &device);
        // flex gives indices a wider type than its whole numbers have.
        let slot = self
            .positions
            .clone()
            .argmin(1)
            .cast(IntDType::from(first.dtype()));
        let index = slot.reshape([heads]) + first;
        let position = Tensor::full([heads], position as i64, &device);
        Self {
            keys: self.keys.put(index.clone(), key),
            values: self.values.put(index.clone(), value),
            positions: self
                .positions
                .reshape([heads * capacity])
                .select_assign(0, index, position, IndexingUpdateOp::Assign)
                .reshape([heads, capacity]),
            scores: self.scores,
        }
    }

    /// The scores, without what the slot of `newest` has from a position that was in it before.
    pub fn scores_but(&self, newest: usize) -> Tensor<2> {
        let taken = self.positions.clone().equal_elem(newest as i64);
        self.scores.clone().mask_fill(taken, 0.0)
    }

    /// Puts `[kv_heads, count, head_dim]` tokens into the slots from `start` on, positions counting from `position`.
    pub fn put_range(
        self,
        start: usize,
        keys: Tensor<3>,
        values: Tensor<3>,
        position: usize,
    ) -> Self {
        let [heads, count, _] = keys.dims();
        let new = position as i64..(position + count) as i64;
        let new = Tensor::<1, Int>::arange(new, &self.device())
            .unsqueeze::<2>()
            .expand([heads, count]);
        Self {
            keys: self.keys.put_range(start, keys),
            values: self.values.put_range(start, values),
            positions: self
                .positions
                .slice_assign([0..heads, start..start + count], new),
            scores: self.scores,
        }
    }

    /// Moves every slot whose entry of `places`, `[kv_heads, capacity]`, is below `capacity` to that place among
    /// `capacity` slots, and drops the others. No two slots of a head may go to one place below `capacity`.
    pub fn arrange(self, places: Tensor<2, Int>, capacity: usize) -> Self {
        exactly(&self.device(), (self, places), |(store, places)| {
            store.arranged(places, capacity)
        })
    }

    fn arranged(self, places: Tensor<2, Int>, capacity: usize) -> Self {
        let [heads, had] = self.positions.dims();
        let device = self.device();
        // One place more than there is takes what is dropped.
        let places = places.clamp_max(capacity as i64);
        let slots = Tensor::<1, Int>::arange(0..had as i64, &device)
            .unsqueeze::<2>()
            .expand([heads, had]);
        let from = Tensor::<2, Int>::zeros([heads, capacity + 1], &device)
            .scatter(1, places.clone(), slots, IndexingUpdateOp::Assign)
            .narrow(1, 0, capacity)
            + first_slots(heads, had, &device).unsqueeze_dim::<2>(1);
        let positions = Tensor::<2, Int>::full([heads, capacity + 1], EMPTY, &device).scatter(
            1,
            places.clone(),
            self.positions,
            IndexingUpdateOp::Assign,
        );
        let scores = Tensor::<2>::zeros([heads, capacity + 1], &device).scatter(
            1,
            places,
            self.scores,
            IndexingUpdateOp::Assign,
        );
        Self {
            keys: self.keys.gather(from.clone()),
            values: self.values.gather(from),
            positions: part(positions, 1, 0..capacity),
            scores: part(scores, 1, 0..capacity),
        }
    }

    /// Keeps the slots of `kept`, `[kv_heads, capacity]`, in the order they are in, as the first of `capacity` slots.
    pub fn keep(self, kept: Tensor<2, Bool>, capacity: usize) -> Self {
        let places = kept
            .clone()
            .int()
            .cumsum(1)
            .sub_scalar(1)
            .mask_fill(kept.bool_not(), capacity as i64);
        self.arrange(places, capacity)
    }

    /// With `capacity` slots, at least as many as are held by any head.
    pub fn resized(self, capacity: usize) -> Self {
        let had = self.capacity();
        if capacity < had {
            let held = self.positions.clone().greater_equal_elem(0);
            self.keep(held, capacity)
        } else if capacity > had {
            self.grow(capacity)
        } else {
            self
        }
    }

    /// More slots, which are empty.
    pub fn grow(self, capacity: usize) -> Self {
        exactly(&self.device(), self, |store| store.grown(capacity))
    }

    fn grown(self, capacity: usize) -> Self {
        let [heads, had] = self.positions.dims();
        let device = self.device();
        let more = [heads, capacity.saturating_sub(had)];
        let empty = Tensor::full(more, EMPTY, &device);
        let unscored = Tensor::zeros(more, &device);
        Self {
            keys: self.keys.grow(capacity),
            values: self.values.grow(capacity),
            positions: Tensor::cat(vec![self.positions, empty], 1),
            scores: Tensor::cat(vec![self.scores, unscored], 1),
        }
    }
}

/// What `make` makes of `input`, in buffers of just its size: others come from a pool, where a small tensor may get a large
/// buffer that happens to be free, and then what is held is not what is allocated.
pub(super) fn exactly<I: Send, O: Send>(
    device: &Device,
    input: I,
    make: impl Fn(I) -> O + Send,
) -> O {
    device.memory_persistent_allocations(input, make)
}

/// Each head's first slot, counted over all heads.
fn first_slots(heads: usize, capacity: usize, device: &Device) -> Tensor<1, Int> {
    Tensor::arange_step(0..(heads * capacity) as i64, capacity, device)
}
