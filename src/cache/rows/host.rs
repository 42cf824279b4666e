//! Rows as they lie in a CPU's memory.

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::exact::{self, SINKS};

/// The memory of rows of one type, one after the other.
#[derive(Clone, Copy)]
pub enum HostMemory<'a> {
    /// f16.
    Halves(&'a [f16]),
    /// f32.
    Singles(&'a [f32]),
    /// Words, `width` per row, and what unpacks those of one.
    Words {
        all: &'a [u32],
        width: usize,
        unpack: fn(&[u32], &mut [f32]),
    },
}

impl HostMemory<'_> {
    /// Reads row `index`.
    fn read(&self, index: usize, row: &mut [f32]) {
        let part = |width: usize| index * width..(index + 1) * width;
        match self {
            Self::Halves(all) => all[part(row.len())].convert_to_f32_slice(row),
            Self::Singles(all) => row.copy_from_slice(&all[part(row.len())]),
            Self::Words { all, width, unpack } => unpack(&all[part(*width)], row),
        }
    }
}

/// The rows of one layer's keys, or of its values.
pub(in crate::cache) struct HostRows<'a> {
    memory: HostMemory<'a>,
    slots: usize,
    dim: usize,
    exact: Option<HostExact<'a>>,
}

/// Exact rows.
pub(super) struct HostExact<'a> {
    pub memory: HostMemory<'a>,
    /// Positions beside the first ones that there is room for.
    pub ring: usize,
    /// The earliest position that is here, but for the first.
    pub from: usize,
}

impl<'a> HostRows<'a> {
    /// Rows of `[kv_heads, slots, head_dim]` elements.
    pub(super) fn new(
        memory: HostMemory<'a>,
        [_, slots, dim]: [usize; 3],
        exact: Option<HostExact<'a>>,
    ) -> Self {
        Self {
            memory,
            slots,
            dim,
            exact,
        }
    }

    /// Calls `seen` with every KV head and slot that hold a position, and the row there.
    ///
    /// `positions` are `[kv_heads, slots]`, below 0 for empty slots.
    #[inline(always)]
    pub fn each_held(&self, positions: &[i64], mut seen: impl FnMut(usize, usize, &[f32])) {
        let mut row = vec![0.0; self.dim];
        for (at, position) in positions.iter().enumerate() {
            if let Ok(position) = usize::try_from(*position) {
                let (kv, slot) = (at / self.slots, at % self.slots);
                self.read(kv, slot, position, &mut row);
                seen(kv, slot, &row);
            }
        }
    }

    /// Reads the row of `position`, which is in `slot` of a KV head.
    fn read(&self, kv: usize, slot: usize, position: usize, row: &mut [f32]) {
        match &self.exact {
            Some(exact) if position < SINKS || position >= exact.from => {
                let place = exact::place(position, exact.ring);
                exact.memory.read(kv * (SINKS + exact.ring) + place, row);
            }
            _ => self.memory.read(kv * self.slots + slot, row),
        }
    }
}
