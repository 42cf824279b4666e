//! One layer's slots: keys, values, the position in every slot, and the scores of the last
//! selection.

use burn::module::Module;
use burn::tensor::ops::IndexingUpdateOp;
use burn::tensor::{Bool, Device, Int, IntDType, Tensor};

use super::buffers::{copied_part, read_floats, read_ints, unpooled};
use super::config::ScopeCacheConfig;
use super::error::CacheError;
use super::memory::LayerBytes;
use super::rows::Rows;
use super::select::EMPTY;
use crate::kernels::{BoundBuffer, KernelError, buffer_of, int_buffer_of};

/// One layer's memory. Slots are in no order; a slot's position says what it holds.
#[derive(Module, Debug)]
pub(super) struct SlotStore {
    pub keys: Rows,
    pub values: Rows,
    /// `[kv_heads, capacity]`, [`EMPTY`] in empty slots.
    pub positions: Tensor<2, Int>,
    /// `[kv_heads, capacity]` in f32.
    pub scores: Tensor<2>,
    /// All tensors have been replaced since [`take_replaced`](Self::take_replaced) was called last.
    #[module(skip)]
    replaced: bool,
}

/// One layer's memory as kernels bind it.
pub(crate) struct LayerBuffers {
    pub keys: BoundBuffer,
    pub values: BoundBuffer,
    pub positions: BoundBuffer,
    pub scores: BoundBuffer,
    /// Slots per head.
    pub capacity: usize,
}

/// [`SlotStore::bytes`] of a store with `capacity` slots per head.
pub(super) fn bytes_of(config: &ScopeCacheConfig, capacity: usize) -> LayerBytes {
    let slots = config.kv_heads as u64 * capacity as u64;
    let rows = slots * config.cache_type.row_bytes(config.head_dim) as u64;
    LayerBytes {
        keys: rows,
        values: rows,
        positions: slots * 4,
        scores: slots * 4,
        queries: 0,
    }
}

impl SlotStore {
    /// A store with `capacity` empty slots per head.
    pub fn empty(config: &ScopeCacheConfig, capacity: usize, device: &Device) -> Self {
        let slots = [config.kv_heads, capacity];
        let rows = [config.kv_heads, capacity, config.head_dim];
        unpooled(device, (), |()| Self {
            keys: Rows::zeros(rows, config.cache_type, device),
            values: Rows::zeros(rows, config.cache_type, device),
            positions: Tensor::full(slots, EMPTY, device),
            scores: Tensor::zeros(slots, device),
            replaced: false,
        })
    }

    /// A store of these tensors.
    pub fn from_parts(
        [keys, values]: [Rows; 2],
        positions: Tensor<2, Int>,
        scores: Tensor<2>,
    ) -> Self {
        Self {
            keys,
            values,
            positions,
            scores,
            replaced: false,
        }
    }

    /// Slots per head.
    pub fn capacity(&self) -> usize {
        self.keys.capacity()
    }

    pub fn device(&self) -> Device {
        self.keys.device()
    }

    /// Bytes of the tensors.
    pub fn bytes(&self) -> LayerBytes {
        let slots: usize = self.positions.dims().iter().product();
        LayerBytes {
            keys: self.keys.size(),
            values: self.values.size(),
            positions: (slots * self.positions.dtype().size()) as u64,
            scores: (slots * self.scores.dtype().size()) as u64,
            queries: 0,
        }
    }

    /// `true` if all tensors have been replaced since the last call, be it by others of the same
    /// size.
    pub fn take_replaced(&mut self) -> bool {
        std::mem::take(&mut self.replaced)
    }

    /// `true` if nothing else refers to the memory.
    pub fn is_unshared(&self) -> bool {
        let rows = self.keys.is_unshared() && self.values.is_unshared();
        rows && self.positions.can_mut() && self.scores.can_mut()
    }

    /// The same store in memory of its own.
    pub fn copied(self) -> Self {
        unpooled(&self.device(), self, |store: Self| {
            let [_, capacity] = store.positions.dims();
            Self {
                keys: store.keys.copied(),
                values: store.values.copied(),
                positions: copied_part(store.positions, 1, 0..capacity),
                scores: copied_part(store.scores, 1, 0..capacity),
                ..store
            }
        })
    }

    /// The memory, for kernels that write into it.
    ///
    /// # Errors
    ///
    /// [`KernelError::Device`] if the device does not answer.
    pub fn buffers(&self) -> Result<LayerBuffers, KernelError> {
        Ok(LayerBuffers {
            keys: self.keys.buffer()?,
            values: self.values.buffer()?,
            positions: int_buffer_of(&self.positions)?,
            scores: buffer_of(&self.scores)?,
            capacity: self.capacity(),
        })
    }

    /// Every head's positions, slot by slot. Waits for the device.
    pub async fn read_positions(&self) -> Result<Vec<Vec<i32>>, CacheError> {
        let positions = read_ints(&self.positions).await?;
        let heads = positions.chunks(self.capacity().max(1));
        Ok(heads.map(<[i32]>::to_vec).collect())
    }

    /// All heads' scores, slot by slot. Waits for the device.
    pub async fn read_scores(&self) -> Result<Vec<f32>, CacheError> {
        read_floats(&self.scores).await
    }

    /// Puts a token, key and value `[kv_heads, head_dim]`, into an empty slot of each head. There
    /// must be one.
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
            ..self
        }
    }

    /// The scores, with 0 in the slot of position `newest`, which still has that of the position
    /// evicted from it.
    pub fn scores_without(&self, newest: usize) -> Tensor<2> {
        let taken = self.positions.clone().equal_elem(newest as i64);
        self.scores.clone().mask_fill(taken, 0.0)
    }

    /// Puts `[kv_heads, count, head_dim]` tokens into the slots from `start` on, positions counting
    /// from `position`.
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
            ..self
        }
    }

    /// Moves every slot to its entry of `places`, `[kv_heads, capacity]`, and drops those whose
    /// entry is not below `capacity`. No two slots of a head may go to one place below `capacity`.
    pub fn arrange(self, places: Tensor<2, Int>, capacity: usize) -> Self {
        unpooled(&self.device(), (self, places), |(store, places)| {
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
            positions: copied_part(positions, 1, 0..capacity),
            scores: copied_part(scores, 1, 0..capacity),
            replaced: true,
        }
    }

    /// Keeps the slots of `kept`, `[kv_heads, capacity]`, in their order, as the first of
    /// `capacity` slots.
    pub fn keep(self, kept: Tensor<2, Bool>, capacity: usize) -> Self {
        let places = kept
            .clone()
            .int()
            .cumsum(1)
            .sub_scalar(1)
            .mask_fill(kept.bool_not(), capacity as i64);
        self.arrange(places, capacity)
    }

    /// The same store with `capacity` slots per head, at least as many as any head holds.
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

    /// The same store with empty slots up to `capacity` per head.
    pub fn grow(self, capacity: usize) -> Self {
        unpooled(&self.device(), self, |store| store.grown(capacity))
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
            replaced: true,
        }
    }
}

/// Each head's first slot, counted over all heads.
fn first_slots(heads: usize, capacity: usize, device: &Device) -> Tensor<1, Int> {
    Tensor::arange_step(0..(heads * capacity) as i64, capacity, device)
}
