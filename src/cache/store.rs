//! One layer's slots: keys, values, the position in every slot, and the scores of the last
//! selection.

use burn::module::Module;
use burn::tensor::ops::IndexingUpdateOp;
use burn::tensor::{Bool, Device, FloatDType, Int, IntDType, Tensor};

use super::buffers::{copied_part, read_floats, read_ints, unpooled};
use super::config::ScopeCacheConfig;
use super::error::CacheError;
use super::frame::{Frame, rotated};
use super::memory::LayerBytes;
use super::rows::{EXACT, ExactRows, Held, HostRows, RowBuffers, Rows, SINKS};
use super::select::EMPTY;
use super::storage::{CacheType, CacheTypes};
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
    /// The frame that keys are in, if they are in one.
    pub frame: Option<Frame>,
    /// All tensors have been replaced since [`take_replaced`](Self::take_replaced) was called last.
    #[module(skip)]
    replaced: bool,
}

/// One layer's memory as kernels bind it.
pub(crate) struct LayerBuffers {
    pub keys: RowBuffers,
    pub values: RowBuffers,
    pub positions: BoundBuffer,
    pub scores: BoundBuffer,
    pub frame: Option<BoundBuffer>,
    /// Slots per head.
    pub capacity: usize,
}

impl LayerBuffers {
    /// The exact rows, by their names in kernels.
    pub fn exact(&self) -> impl Iterator<Item = (&'static str, &BoundBuffer)> {
        let keys = self.keys.exact.iter().map(|rows| ("exact_keys", rows));
        let values = self.values.exact.iter();
        keys.chain(values.map(|rows| ("exact_values", rows)))
    }
}

/// [`SlotStore::bytes`] of a store with `capacity` slots per head, whose prompt is finished.
pub(super) fn bytes_of(config: &ScopeCacheConfig, capacity: usize) -> LayerBytes {
    let (keys, values) = (config.cache_type.keys, config.cache_type.values);
    let framed = if keys.framed() { 2 * 4 } else { 0 };
    LayerBytes {
        keys: slot_bytes(config, keys, capacity) + exact_bytes(config, keys),
        values: slot_bytes(config, values, capacity) + exact_bytes(config, values),
        positions: config.kv_heads as u64 * capacity as u64 * 4,
        scores: config.kv_heads as u64 * capacity as u64 * 4,
        frame: (framed * config.kv_heads * config.head_dim) as u64,
        queries: 0,
    }
}

/// Bytes of a full cache in f16 with `capacity` slots per head: what all caches are compared with.
pub(super) fn full_bytes_of(config: &ScopeCacheConfig, capacity: usize) -> LayerBytes {
    let cache_type = CacheTypes::from(CacheType::F16);
    let full = ScopeCacheConfig {
        cache_type,
        ..config.clone()
    };
    bytes_of(&full, capacity)
}

/// Bytes of rows of `cache_type` by slot.
pub(super) fn slot_bytes(config: &ScopeCacheConfig, cache_type: CacheType, slots: usize) -> u64 {
    config.kv_heads as u64 * slots as u64 * cache_type.row_bytes(config.head_dim) as u64
}

/// Bytes of the rows that `cache_type` keeps exactly.
pub(super) fn exact_bytes(config: &ScopeCacheConfig, cache_type: CacheType) -> u64 {
    match cache_type.exact() {
        0 => 0,
        ring => slot_bytes(config, EXACT, SINKS + ring),
    }
}

/// The frame of a first prompt of framed types, and its exact rows.
pub(super) struct Framing {
    frame: Option<Frame>,
    exact: [Option<ExactRows>; 2],
}

impl SlotStore {
    /// A store with `capacity` empty slots per head.
    pub fn empty(config: &ScopeCacheConfig, capacity: usize, device: &Device) -> Self {
        let slots = [config.kv_heads, capacity];
        let rows = [config.kv_heads, capacity, config.head_dim];
        unpooled(device, (), |()| Self {
            keys: Rows::of_prompt(rows, config.cache_type.keys, device),
            values: Rows::of_prompt(rows, config.cache_type.values, device),
            positions: Tensor::full(slots, EMPTY, device),
            scores: Tensor::zeros(slots, device),
            frame: None,
            replaced: false,
        })
    }

    /// A store of these tensors.
    pub fn from_parts(
        [keys, values]: [Rows; 2],
        positions: Tensor<2, Int>,
        scores: Tensor<2>,
        frame: Option<Frame>,
    ) -> Self {
        Self {
            keys,
            values,
            positions,
            scores,
            frame,
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

    /// `true` if [`on_host`](Self::on_host) can lend the rows.
    pub fn is_on_host(&self) -> bool {
        self.keys.is_on_host() && self.values.is_on_host()
    }

    /// Lends keys and values on a CPU. Positions are of `seen` tokens.
    pub fn on_host<R>(
        self,
        seen: usize,
        done: impl FnOnce(&HostRows<'_>, &HostRows<'_>) -> R,
    ) -> (Self, R) {
        let (keys, values) = (self.keys, self.values);
        let (keys, (values, result)) = keys.on_host(seen, |keys| {
            values.on_host(seen, |values| done(keys, values))
        });
        let store = Self {
            keys,
            values,
            ..self
        };
        (store, result)
    }

    /// Bytes of the tensors.
    pub fn bytes(&self) -> LayerBytes {
        let slots: usize = self.positions.dims().iter().product();
        LayerBytes {
            keys: self.keys.size(),
            values: self.values.size(),
            positions: (slots * self.positions.dtype().size()) as u64,
            scores: (slots * self.scores.dtype().size()) as u64,
            frame: self.frame.as_ref().map_or(0, Frame::bytes),
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
        let frame = self.frame.as_ref();
        let frame = frame.is_none_or(|frame| frame.numbers.can_mut());
        rows && frame && self.positions.can_mut() && self.scores.can_mut()
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
                frame: store.frame.map(|frame| Frame {
                    numbers: copied_part(frame.numbers, 1, 0..2),
                }),
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
            keys: self.keys.buffers()?,
            values: self.values.buffers()?,
            positions: int_buffer_of(&self.positions)?,
            scores: buffer_of(&self.scores)?,
            frame: self
                .frame
                .as_ref()
                .map(|frame| buffer_of(&frame.numbers))
                .transpose()?,
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
        let (key, value) = (
            self.key(key.unsqueeze_dim(1)),
            self.value(value.unsqueeze_dim(1)),
        );
        let (key, value) = (key.squeeze_dim(1), value.squeeze_dim(1));
        let newest = position;
        let position = Tensor::full([heads], position as i64, &device);
        Self {
            keys: self.keys.put(index.clone(), key, newest),
            values: self.values.put(index.clone(), value, newest),
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
        let (keys, values) = (self.key(keys), self.value(values));
        let new = position as i64..(position + count) as i64;
        let new = Tensor::<1, Int>::arange(new, &self.device())
            .unsqueeze::<2>()
            .expand([heads, count]);
        Self {
            keys: self.keys.put_range(start, keys, position),
            values: self.values.put_range(start, values, position),
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
            frame: self.frame,
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

    /// The same store with rows of zeros in empty slots. Attention multiplies them by 0, which does
    /// not undo a row that is not finite.
    pub fn cleared(self) -> Self {
        let empty = self.positions.clone().lower_elem(0);
        unpooled(&self.device(), (self, empty), |(store, empty)| Self {
            keys: store.keys.clear(empty.clone()),
            values: store.values.clear(empty),
            ..store
        })
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
            frame: self.frame,
            replaced: true,
        }
    }

    /// Contents of the slots, when `seen` tokens were seen.
    pub fn held(&self, seen: usize) -> Held<'_> {
        Held {
            positions: &self.positions,
            seen,
        }
    }

    /// Queries `[query_heads, tokens, head_dim]` as the stored keys take them.
    pub fn query(&self, queries: Tensor<3>) -> Tensor<3> {
        match &self.frame {
            Some(frame) => frame.query(queries.cast(FloatDType::F32)),
            None => queries,
        }
    }

    /// Attention's output `[query_heads, tokens, head_dim]` of the stored values, as the model
    /// takes it.
    pub fn output(&self, output: Tensor<3>) -> Tensor<3> {
        if self.values.framed() {
            rotated(output)
        } else {
            output
        }
    }

    /// Keys `[kv_heads, tokens, head_dim]` as they are stored.
    fn key(&self, keys: Tensor<3>) -> Tensor<3> {
        match &self.frame {
            Some(frame) => frame.key(keys.cast(FloatDType::F32)),
            None => keys,
        }
    }

    /// Values `[kv_heads, tokens, head_dim]` as they are stored.
    fn value(&self, values: Tensor<3>) -> Tensor<3> {
        if self.values.framed() {
            rotated(values.cast(FloatDType::F32))
        } else {
            values
        }
    }

    /// The framing of a first prompt that has yet to get one, of its first `length` tokens. They
    /// are in the slots before all others, in their order. `squares` are the queries'.
    pub fn framing(
        &self,
        types: CacheTypes,
        squares: Option<Tensor<2>>,
        length: usize,
    ) -> Option<Framing> {
        let awaited = [(&self.keys, types.keys), (&self.values, types.values)];
        if !awaited.iter().any(|(rows, asked)| rows.await_frame(*asked)) {
            return None;
        }
        unpooled(&self.device(), squares, |squares| {
            let prompt = || self.keys.slots.read_range(0..length);
            let frame = squares
                .filter(|_| types.keys.framed())
                .map(|squares| Frame::of_prompt(prompt(), squares));
            let keys = frame.as_ref().and_then(|frame| {
                let into_frame = |keys| frame.key(keys);
                self.keys.exact_of_prompt(types.keys, length, into_frame)
            });
            let values = self.values.exact_of_prompt(types.values, length, rotated);
            Some(Framing {
                frame,
                exact: [keys, values],
            })
        })
    }

    /// The same slots as their types store them in the frame.
    pub fn framed(self, types: CacheTypes, framing: Framing) -> Self {
        let input = (self, framing);
        let device = input.0.device();
        unpooled(&device, input, |(store, framing)| {
            let [exact_keys, exact_values] = framing.exact;
            let keys = match &framing.frame {
                Some(frame) => {
                    let into_frame = |keys| frame.key(keys);
                    store.keys.in_frame(types.keys, exact_keys, into_frame)
                }
                None => store.keys,
            };
            let values = match types.values.framed() {
                true => store.values.in_frame(types.values, exact_values, rotated),
                false => store.values,
            };
            Self {
                keys,
                values,
                frame: framing.frame,
                replaced: true,
                ..store
            }
        })
    }

    /// Makes room for the exact rows of a prompt of `tokens` tokens.
    pub fn open(self, tokens: usize, seen: usize) -> Self {
        self.each_rows(|rows| rows.open(tokens, seen))
    }

    /// Gives back what [`open`](Self::open) took.
    pub fn close(self, seen: usize) -> Self {
        self.each_rows(|rows| rows.close(seen))
    }

    /// Forgets exact rows from `length` on, of `seen`.
    pub fn truncated(self, length: usize, seen: usize) -> Self {
        self.each_rows(|rows| rows.truncated(length, seen))
    }

    fn each_rows(self, change: impl Fn(Rows) -> Rows + Send + Sync) -> Self {
        unpooled(&self.device(), self, |store: Self| Self {
            keys: change(store.keys),
            values: change(store.values),
            ..store
        })
    }
}

/// Each head's first slot, counted over all heads.
fn first_slots(heads: usize, capacity: usize, device: &Device) -> Tensor<1, Int> {
    Tensor::arange_step(0..(heads * capacity) as i64, capacity, device)
}
