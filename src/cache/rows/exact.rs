//! Exact rows beside quantised ones: those of the first positions, and of the newest.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};

use super::plain::PlainRows;
use crate::cache::storage::CacheType;

/// First positions whose rows are exact for good. They hold much of all attention.
pub const SINKS: usize = 4;

/// Type of exact rows. It is framed too, and takes half the bytes of f16 for an error that no text
/// has shown.
pub const EXACT: CacheType = CacheType::H8;

/// Rows of [`EXACT`], `[kv_heads, SINKS + ring, head_dim]`: position p < [`SINKS`] is row p, any
/// other row `SINKS + p % ring`.
///
/// Every position has its quantised row too. So eviction need not look here, and what this takes
/// does not depend on what is evicted.
#[derive(Module, Debug)]
pub(in crate::cache) struct ExactRows {
    pub rows: PlainRows,
    /// No earlier position is here, but for the first.
    #[module(skip)]
    pub floor: usize,
}

impl ExactRows {
    /// Room for the first positions and `ring` others.
    pub fn empty([heads, dim]: [usize; 2], ring: usize, floor: usize, device: &Device) -> Self {
        let shape = [heads, SINKS + ring, dim];
        Self {
            rows: PlainRows::zeros(shape, EXACT, device),
            floor,
        }
    }

    /// Positions beside the first ones that there is room for.
    pub fn ring(&self) -> usize {
        self.rows.capacity() - SINKS
    }

    /// The earliest position that is here when `seen` tokens were seen, but for the first.
    pub fn from(&self, seen: usize) -> usize {
        self.floor.max(seen.saturating_sub(self.ring()))
    }

    /// Writes `[kv_heads, count, head_dim]`, the rows of positions from `position` on.
    pub fn put(self, new: Tensor<3>, position: usize) -> Self {
        let [heads, count, dim] = new.dims();
        let device = new.device();
        let ring = self.ring();
        let capacity = self.rows.capacity();
        // Of rows that would meet, the last alone.
        let first = (position + count).saturating_sub(ring).max(SINKS);
        let written: Vec<usize> = (position..position + count)
            .filter(|position| *position < SINKS || *position >= first)
            .collect();
        if written.is_empty() {
            return self;
        }
        let places = |at: &dyn Fn(usize) -> usize| {
            let places: Vec<i32> = written.iter().map(|own| at(*own) as i32).collect();
            Tensor::<1, Int>::from_data(places.as_slice(), &device)
        };
        let from = places(&|own| own - position);
        let to = places(&|own| place(own, ring));
        let heads_first =
            Tensor::<1, Int>::arange_step(0..(heads * capacity) as i64, capacity, &device);
        let shape = [heads, written.len()];
        let index =
            to.unsqueeze::<2>().expand(shape) + heads_first.unsqueeze_dim::<2>(1).expand(shape);
        let new = new.select(1, from);
        let rows = self.rows.put(
            index.reshape([heads * written.len()]),
            new.reshape([heads * written.len(), dim]),
        );
        Self { rows, ..self }
    }

    /// The same positions with room for `ring` others than the first. `seen` tokens were seen.
    pub fn with_ring(self, ring: usize, seen: usize) -> Self {
        let had = self.ring();
        if ring == had {
            return self;
        }
        let floor = self.from(seen).max(seen.saturating_sub(ring));
        let mut from: Vec<i32> = (0..SINKS + ring).map(|row| row.min(SINKS) as i32).collect();
        for position in floor.max(SINKS)..seen {
            from[place(position, ring)] = place(position, had) as i32;
        }
        let index = Tensor::from_data(from.as_slice(), &self.rows.device());
        Self {
            rows: self.rows.select(index),
            floor,
        }
    }

    /// Forgets positions from `length` on, of `seen`. Those forgotten have taken the rows of as
    /// many earlier ones.
    pub fn truncated(self, length: usize, seen: usize) -> Self {
        Self {
            floor: self.from(seen).min(length),
            ..self
        }
    }

    /// `rows`, `[kv_heads, slots, head_dim]`, with those of positions that are here in place of the
    /// quantised ones. `positions` are `[kv_heads, slots]`, `seen` is the number of tokens seen.
    pub fn substituted(
        &self,
        rows: Tensor<3>,
        positions: Tensor<2, Int>,
        seen: usize,
    ) -> Tensor<3> {
        let [heads, slots, dim] = rows.dims();
        let (ring, capacity) = (self.ring(), self.rows.capacity());
        let device = rows.device();
        let from = self.from(seen) as i64;
        let first = positions.clone().lower_elem(SINKS as i64);
        let here = positions
            .clone()
            .greater_equal_elem(from)
            .bool_or(first.clone())
            .bool_and(positions.clone().greater_equal_elem(0));
        let held = positions.clamp_min(0);
        let place = held
            .clone()
            .remainder_scalar(ring as i64)
            .add_scalar(SINKS as i64);
        let place = place.mask_where(first, held);
        let heads_first =
            Tensor::<1, Int>::arange_step(0..(heads * capacity) as i64, capacity, &device);
        let index = place.clamp_max(capacity as i64 - 1)
            + heads_first.unsqueeze_dim::<2>(1).expand([heads, slots]);
        let exact = self
            .rows
            .read(capacity)
            .reshape([heads * capacity, dim])
            .select(0, index.reshape([heads * slots]))
            .reshape([heads, slots, dim]);
        let here = here.unsqueeze_dim::<3>(2).expand([heads, slots, dim]);
        rows.mask_where(here, exact)
    }
}

/// The row of `position`.
pub(super) fn place(position: usize, ring: usize) -> usize {
    if position < SINKS {
        position
    } else {
        SINKS + position % ring
    }
}
