//! The rows of one layer's keys, or of its values: one per slot, and exact ones of some types.

mod exact;
mod host;
mod plain;

use burn::module::Module;
use burn::tensor::{Bool, DType, Device, Int, Tensor};
pub(super) use exact::ExactRows;
pub(crate) use exact::{EXACT, SINKS};
use host::HostExact;
pub(super) use host::HostRows;
pub(super) use plain::PlainRows;

use super::storage::CacheType;
use crate::kernels::{BoundBuffer, KernelError, StoredRows};

/// Rows of `head_dim` elements, `[kv_heads, capacity]` of them, by slot.
///
/// Methods that write take the rows by value: burn writes in place only if nothing else holds the
/// tensor.
#[derive(Module, Debug)]
pub(super) struct Rows {
    pub slots: PlainRows,
    /// Rows by position, of a type that has such once they are in a frame.
    pub exact: Option<ExactRows>,
}

/// The memory of [`Rows`] as kernels bind it.
pub(crate) struct RowBuffers {
    pub slots: BoundBuffer,
    pub exact: Option<BoundBuffer>,
}

/// Contents of slots: every head's positions, and the number of tokens that were seen.
#[derive(Clone, Copy)]
pub(super) struct Held<'a> {
    /// `[kv_heads, capacity]`
    pub positions: &'a Tensor<2, Int>,
    pub seen: usize,
}

impl Rows {
    /// Empty rows, `shape` being `[kv_heads, capacity, head_dim]`, for a first prompt: framed types
    /// are f16 until its end.
    pub fn of_prompt(shape: [usize; 3], cache_type: CacheType, device: &Device) -> Self {
        Self {
            slots: PlainRows::zeros(shape, cache_type.of_prompt(), device),
            exact: None,
        }
    }

    pub fn device(&self) -> Device {
        self.slots.device()
    }

    /// `true` if the rows are in a frame.
    pub fn framed(&self) -> bool {
        self.slots.cache_type().framed()
    }

    /// `true` if the rows have yet to become those of `cache_type`.
    pub fn await_frame(&self, cache_type: CacheType) -> bool {
        self.slots.cache_type() != cache_type
    }

    /// `true` if a write needs no copy.
    pub fn is_unshared(&self) -> bool {
        let mut exact = self.exact.iter();
        self.slots.is_unshared() && exact.all(|exact| exact.rows.is_unshared())
    }

    /// Shape and type of the slots as allocated, and those of the exact rows.
    pub fn layouts(&self) -> impl Iterator<Item = ([usize; 3], DType)> {
        let exact = self.exact.as_ref().map(|exact| exact.rows.layout());
        std::iter::once(self.slots.layout()).chain(exact)
    }

    /// The type that all rows have, exact ones included; `None` if some are exact.
    fn only_type(&self) -> Option<CacheType> {
        self.exact.is_none().then(|| self.slots.cache_type())
    }

    /// The rows of all slots for kernels that read keys and values of one type. Rows of any other
    /// are copied to f32.
    ///
    /// # Errors
    ///
    /// [`KernelError`] on a device that runs no kernels.
    pub fn stored_alike(
        keys: &Self,
        values: &Self,
        held: Held<'_>,
    ) -> Result<[StoredRows; 2], KernelError> {
        if keys.only_type().is_some() && keys.only_type() == values.only_type() {
            return Ok([keys.slots.stored()?, values.slots.stored()?]);
        }
        let read = |rows: &Self| {
            let rows = rows.read(rows.capacity(), held);
            StoredRows::of_f32(rows, CacheType::F32.row_format())
        };
        Ok([read(keys)?, read(values)?])
    }

    /// The rows' memory, for kernels that write into it.
    ///
    /// # Errors
    ///
    /// [`KernelError::Device`] if the device does not answer.
    pub fn buffers(&self) -> Result<RowBuffers, KernelError> {
        let exact = self.exact.as_ref().map(|exact| exact.rows.buffer());
        Ok(RowBuffers {
            slots: self.slots.buffer()?,
            exact: exact.transpose()?,
        })
    }

    /// `true` if [`on_host`](Self::on_host) can lend the memory.
    pub fn is_on_host(&self) -> bool {
        self.slots.is_on_host()
    }

    /// Lends the rows on a CPU, whose positions are of `seen` tokens. Nothing is copied if nothing
    /// else holds them.
    pub fn on_host<R>(self, seen: usize, done: impl FnOnce(&HostRows<'_>) -> R) -> (Self, R) {
        let shape = self.slots.shape();
        let Some(exact) = self.exact else {
            let slots = self.slots;
            let (slots, result) = slots.on_host(|memory| done(&HostRows::new(memory, shape, None)));
            return (Self { slots, exact: None }, result);
        };
        let (ring, from) = (exact.ring(), exact.from(seen));
        let (slots, (exact_rows, result)) = self.slots.on_host(|memory| {
            exact.rows.on_host(|exact| {
                let exact = HostExact {
                    memory: exact,
                    ring,
                    from,
                };
                done(&HostRows::new(memory, shape, Some(exact)))
            })
        });
        let exact = ExactRows {
            rows: exact_rows,
            floor: exact.floor,
        };
        let exact = Some(exact);
        (Self { slots, exact }, result)
    }

    /// Slots per head.
    pub fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.slots.size() + self.exact.as_ref().map_or(0, |exact| exact.rows.size())
    }

    /// The rows of the first `slots` slots in f32, `[kv_heads, slots, head_dim]`. Of any type but
    /// f32 this is a copy, which lives as long as one layer's attention.
    pub fn read(&self, slots: usize, held: Held<'_>) -> Tensor<3> {
        let rows = self.slots.read(slots);
        match &self.exact {
            None => rows,
            Some(exact) => {
                let positions = held.positions.clone().narrow(1, 0, slots);
                exact.substituted(rows, positions, held.seen)
            }
        }
    }

    /// Writes `position`'s row per head, `[kv_heads, head_dim]`, into the slots `index`, counted
    /// over all heads' slots.
    pub fn put(self, index: Tensor<1, Int>, new: Tensor<2>, position: usize) -> Self {
        let rows = new.clone().unsqueeze_dim::<3>(1);
        Self {
            slots: self.slots.put(index, new),
            exact: self.exact.map(|exact| exact.put(rows, position)),
        }
    }

    /// Writes `[kv_heads, count, head_dim]`, the rows of positions from `position` on, into the
    /// slots from `start` on.
    pub fn put_range(self, start: usize, new: Tensor<3>, position: usize) -> Self {
        Self {
            slots: self.slots.put_range(start, new.clone()),
            exact: self.exact.map(|exact| exact.put(new, position)),
        }
    }

    /// The same rows in memory of their own.
    pub fn copied(self) -> Self {
        self.each(PlainRows::copied)
    }

    /// New rows: those of the slots `index`, `[kv_heads, capacity]`, counted over all heads' slots.
    pub fn gather(self, index: Tensor<2, Int>) -> Self {
        Self {
            slots: self.slots.gather(index),
            ..self
        }
    }

    /// The same rows, and empty ones up to `capacity` slots per head.
    pub fn grow(self, capacity: usize) -> Self {
        Self {
            slots: self.slots.grow(capacity),
            ..self
        }
    }

    /// The same rows, with zeros in the slots of `cleared`, `[kv_heads, capacity]`.
    pub fn clear(self, cleared: Tensor<2, Bool>) -> Self {
        Self {
            slots: self.slots.clear(cleared),
            ..self
        }
    }

    /// Makes room for the exact rows of a prompt of `tokens` tokens. They all stay until its end:
    /// chunks of any size see the same. `seen` tokens were seen.
    pub fn open(self, tokens: usize, seen: usize) -> Self {
        let ring = self.slots.cache_type().exact() + tokens;
        self.with_ring(|had| had.max(ring), seen)
    }

    /// Gives back what [`open`](Self::open) took.
    pub fn close(self, seen: usize) -> Self {
        let ring = self.slots.cache_type().exact();
        self.with_ring(|_| ring, seen)
    }

    fn with_ring(self, ring: impl Fn(usize) -> usize, seen: usize) -> Self {
        Self {
            exact: self.exact.map(|exact| {
                let ring = ring(exact.ring());
                exact.with_ring(ring, seen)
            }),
            ..self
        }
    }

    /// Forgets exact rows from `length` on, of `seen`.
    pub fn truncated(self, length: usize, seen: usize) -> Self {
        Self {
            exact: self.exact.map(|exact| exact.truncated(length, seen)),
            ..self
        }
    }

    /// The exact rows of a first prompt of `seen` tokens, if `cache_type` has such rows. Its slots
    /// are in the order of positions, none of them empty.
    pub fn exact_of_prompt(
        &self,
        cache_type: CacheType,
        seen: usize,
        into_frame: impl Fn(Tensor<3>) -> Tensor<3>,
    ) -> Option<ExactRows> {
        let ring = cache_type.exact();
        if ring == 0 {
            return None;
        }
        let [heads, _, dim] = self.slots.shape();
        let floor = seen.saturating_sub(ring);
        let mut exact = ExactRows::empty([heads, dim], ring, floor, &self.device());
        for range in [0..SINKS.min(seen), floor..seen] {
            let rows = self.slots.read_range(range.clone());
            exact = exact.put(into_frame(rows), range.start);
        }
        Some(exact)
    }

    /// The same rows as `cache_type` stores them, with these exact ones.
    pub fn in_frame(
        self,
        cache_type: CacheType,
        exact: Option<ExactRows>,
        into_frame: impl Fn(Tensor<3>) -> Tensor<3>,
    ) -> Self {
        let [heads, capacity, dim] = self.slots.shape();
        let rows = into_frame(self.slots.read(capacity));
        let slots = PlainRows::zeros([heads, capacity, dim], cache_type, &self.device());
        Self {
            slots: slots.put_range(0, rows),
            exact,
        }
    }

    fn each(self, change: impl Fn(PlainRows) -> PlainRows) -> Self {
        Self {
            slots: change(self.slots),
            exact: self.exact.map(|exact| ExactRows {
                rows: change(exact.rows),
                ..exact
            }),
        }
    }
}
