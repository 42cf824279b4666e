//! The parts of `h4` taken away one by one, to see what each is worth: `cargo bench --bench
//! row_parts` does. Without the feature `bench` there is none of it.
//!
//! Rows are rounded by tensors in f32, for all of a text at once. What is stored stays as it is.

use burn::tensor::activation::softmax;
use burn::tensor::{Bool, FloatDType, Int, Tensor, TensorData};

use super::frame::{Frame, rotated};
use super::rows::{EXACT, SINKS};
use super::storage::{CacheType, pack_h4_by};
use super::store::SlotStore;
use crate::kernels::attention_scale;

/// One side of a cache: its keys, or its values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrialRows {
    /// The type of rows that are not exact.
    pub cache_type: CacheType,
    /// The type of exact rows.
    pub exact_type: CacheType,
    /// First positions whose rows are exact.
    pub first: usize,
    /// Newest positions whose rows are exact.
    pub newest: usize,
    /// Rows go through the Hadamard matrix.
    pub turned: bool,
    /// Scales of `h4` are those of the least squared error, not of the largest element.
    pub least_squares: bool,
}

/// A way to round rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    /// Keys.
    pub keys: TrialRows,
    /// Values.
    pub values: TrialRows,
    /// The mean is taken from keys.
    pub centred: bool,
    /// Keys and queries are balanced per channel.
    pub balanced: bool,
}

impl Trial {
    /// The whole of `h4`.
    pub fn of_h4() -> Self {
        let rows = TrialRows::of_h4();
        Self {
            keys: rows,
            values: rows,
            centred: true,
            balanced: true,
        }
    }

    /// Attention of the last of `seen` positions, whose rows are in `store` in their order, in f32.
    /// `squares` are those of the queries before them.
    ///
    /// # Shapes
    ///
    /// - queries, output: `[query_heads, tokens, head_dim]`
    /// - squares: `[kv_heads, head_dim]`
    pub(super) fn attend(
        &self,
        queries: Tensor<3>,
        squares: Tensor<2>,
        (store, seen): (&SlotStore, usize),
        window: Option<usize>,
    ) -> Tensor<3> {
        let queries = queries.cast(FloatDType::F32);
        let [keys, values] = [&store.keys, &store.values].map(|it| it.slots.read_range(0..seen));
        let [query_heads, count, dim] = queries.dims();
        let [heads, _, _] = keys.dims();
        let frame = self.frame(keys.clone().narrow(1, 0, seen - count), squares);
        let turn = |rows: Tensor<3>, turned| if turned { rotated(rows) } else { rows };

        let group = query_heads / heads;
        let queries = queries.reshape([heads, group * count, dim]);
        let queries = turn(queries / frame.balance(), self.keys.turned);
        let keys = (keys - frame.mean()) * frame.balance();
        let keys = self.keys.rounded(turn(keys, self.keys.turned));
        let values = self.values.rounded(turn(values, self.values.turned));

        // The distance of every position from every query.
        let device = queries.device();
        let shape = [1, 1, count, seen];
        let line = |range: std::ops::Range<usize>| {
            Tensor::<1, Int>::arange(range.start as i64..range.end as i64, &device)
        };
        let places = line(0..seen).reshape([1, 1, 1, seen]).expand(shape);
        let own = line(seen - count..seen).reshape([1, 1, count, 1]);
        let back = own.expand(shape) - places.clone();
        let sight = |mask: Tensor<4, Bool>| mask.expand([heads, group, count, seen]);

        let logits = |rows: &Tensor<3>| {
            let logits = queries.clone().matmul(rows.clone().swap_dims(1, 2));
            logits.reshape([heads, group, count, seen])
        };
        let exact = sight(self.keys.exact(&places, &back));
        let logits = logits(&keys[0]).mask_where(exact, logits(&keys[1]));
        let hidden = back.clone().lower_elem(0);
        let hidden = match window {
            Some(window) => hidden.bool_or(back.clone().greater_equal_elem(window as i64)),
            None => hidden,
        };
        let logits = logits.mul_scalar(attention_scale(dim));
        let weights = softmax(logits.mask_fill(sight(hidden), -1.0e30), 3);

        let exact = sight(self.values.exact(&places, &back));
        let sum = |mask: Tensor<4, Bool>, rows: &Tensor<3>| {
            let weights = weights.clone().mask_fill(mask, 0.0);
            let weights = weights.reshape([heads, group * count, seen]);
            weights.matmul(rows.clone())
        };
        let output = sum(exact.clone(), &values[0]) + sum(exact.bool_not(), &values[1]);
        turn(output, self.values.turned).reshape([query_heads, count, dim])
    }

    /// The frame of a prompt's `keys`, without the parts that are taken away.
    fn frame(&self, keys: Tensor<3>, squares: Tensor<2>) -> Frame {
        let frame = Frame::of_prompt(keys, squares);
        let mean = if self.centred {
            frame.mean()
        } else {
            frame.mean().zeros_like()
        };
        let balance = if self.balanced {
            frame.balance()
        } else {
            frame.balance().ones_like()
        };
        Frame {
            numbers: Tensor::cat(vec![mean, balance], 1),
        }
    }
}

impl TrialRows {
    /// Rows as `h4` stores them.
    pub fn of_h4() -> Self {
        Self {
            cache_type: CacheType::H4,
            exact_type: EXACT,
            first: SINKS,
            newest: CacheType::H4.exact(),
            turned: true,
            least_squares: true,
        }
    }

    /// Rows as they are stored, and as they are stored exactly.
    fn rounded(&self, rows: Tensor<3>) -> [Tensor<3>; 2] {
        let coarse = self.stored(rows.clone(), self.cache_type);
        [coarse, self.stored(rows, self.exact_type)]
    }

    #[expect(clippy::expect_used, reason = "a CPU's memory is always readable")]
    fn stored(&self, rows: Tensor<3>, cache_type: CacheType) -> Tensor<3> {
        let (device, shape) = (rows.device(), rows.dims());
        let storage = cache_type.storage();
        let mut elements = rows.into_data().try_into_vec_as::<f32>().expect("f32");
        for row in elements.chunks_mut(shape[2].max(1)) {
            let mut words = Vec::new();
            if cache_type == CacheType::H4 && !self.least_squares {
                pack_h4_by(&[1.0], row, &mut words);
            } else {
                (storage.pack)(row, &mut words);
            }
            (storage.unpack)(&words, row);
        }
        Tensor::from_data(TensorData::new(elements, shape), &device)
    }

    /// The rows that are exact to each query.
    fn exact(&self, places: &Tensor<4, Int>, back: &Tensor<4, Int>) -> Tensor<4, Bool> {
        let first = places.clone().lower_elem(self.first as i64);
        first.bool_or(back.clone().lower_elem(self.newest as i64))
    }
}
