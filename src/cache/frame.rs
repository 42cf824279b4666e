//! The frame in which quantised rows are stored: the basis in which a few bits lose least.
//!
//! Keys become `H · ((k − μ) · s)`, queries `H · (q / s)`, values `H · v`.
//!
//! H is a Hadamard matrix, its own inverse. It spreads outlier channels over all elements, and it
//! turns attention's output back.
//!
//! The mean key μ of the first prompt is taken per channel. A query sees it as one constant, which
//! softmax drops.
//!
//! The balance s of keys against queries is `(a / b)^¼` per channel. a is the queries' mean square,
//! b the keys' variance. Then the product's error is least.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

/// First positions of a prompt that its mean leaves out: attention sinks, whose keys are unlike
/// all others.
const LEFT_OUT: usize = 4;

/// Prompts of fewer positions leave out none.
const SHORT: usize = 16;

/// Least variance of a channel, as a share of all channels' mean.
const FLOOR: f32 = 1.0e-4;

/// A layer's mean key and balance.
#[derive(Module, Debug)]
pub(super) struct Frame {
    /// `[kv_heads, 2, head_dim]` in f32: the mean key μ, then the balance s.
    pub numbers: Tensor<3>,
}

impl Frame {
    /// The frame of a prompt.
    ///
    /// # Shapes
    ///
    /// - keys: `[kv_heads, positions, head_dim]`, in the order of positions, f32
    /// - squares: `[kv_heads, head_dim]`, sums of the queries' squares
    pub fn of_prompt(keys: Tensor<3>, squares: Tensor<2>) -> Self {
        let [heads, count, dim] = keys.dims();
        let left_out = if count < SHORT { 0 } else { LEFT_OUT };
        let keys = keys.narrow(1, left_out, count - left_out);
        let mean = keys.clone().mean_dim(1);
        let centred = keys - mean.clone();
        let variance = floored((centred.clone() * centred).mean_dim(1));
        let squares = floored(squares.reshape([heads, 1, dim]));
        let balance = (squares / variance).sqrt().sqrt();
        Self {
            numbers: Tensor::cat(vec![mean, balance], 1),
        }
    }

    /// Sums of the squares of queries `[query_heads, tokens, head_dim]` per KV head and channel:
    /// `[kv_heads, head_dim]`.
    pub fn squares(queries: Tensor<3>, kv_heads: usize) -> Tensor<2> {
        let [heads, count, dim] = queries.dims();
        let rows = queries.reshape([kv_heads, heads / kv_heads * count, dim]);
        (rows.clone() * rows).sum_dim(1).reshape([kv_heads, dim])
    }

    /// Keys `[kv_heads, tokens, head_dim]` in the frame.
    pub fn key(&self, keys: Tensor<3>) -> Tensor<3> {
        rotated((keys - self.number(0)) * self.number(1))
    }

    /// Queries `[query_heads, tokens, head_dim]` in the frame.
    pub fn query(&self, queries: Tensor<3>) -> Tensor<3> {
        let [heads, count, dim] = queries.dims();
        let [kv_heads, _, _] = self.numbers.dims();
        let group = heads / kv_heads;
        let queries = queries.reshape([kv_heads, group * count, dim]);
        rotated(queries / self.number(1)).reshape([heads, count, dim])
    }

    /// Bytes.
    pub fn bytes(&self) -> u64 {
        4 * self.numbers.dims().iter().product::<usize>() as u64
    }

    fn number(&self, index: usize) -> Tensor<3> {
        self.numbers.clone().narrow(1, index, 1)
    }
}

/// Raises channels of `[kv_heads, 1, head_dim]` that are almost zero.
fn floored(numbers: Tensor<3>) -> Tensor<3> {
    let least = (numbers.clone().mean_dim(2) * FLOOR).add_scalar(f32::MIN_POSITIVE);
    let shape = numbers.dims();
    numbers.max_pair(least.expand(shape))
}

/// The rows' elements, times H. Its own inverse.
pub(super) fn rotated<const D: usize>(rows: Tensor<D>) -> Tensor<D> {
    let shape = rows.dims();
    let dim = shape[D - 1];
    let order = order(dim);
    let matrix = hadamard(order, &rows.device());
    let elements: usize = shape.iter().product();
    rows.reshape([elements / order.max(1), order])
        .matmul(matrix)
        .reshape(shape)
}

/// Order of the Hadamard matrix for heads of `dim` elements: the greatest power of two that divides
/// it. It is applied to each part of a head of that size.
pub(crate) fn order(dim: usize) -> usize {
    1 << dim.trailing_zeros().min(8)
}

/// Sylvester's Hadamard matrix over the square root of its order.
fn hadamard(order: usize, device: &Device) -> Tensor<2> {
    let size = 1.0 / (order as f32).sqrt();
    let element = |row: usize, column: usize| match (row & column).count_ones() % 2 {
        0 => size,
        _ => -size,
    };
    let elements = (0..order).flat_map(|row| (0..order).map(move |column| element(row, column)));
    Tensor::from_data(TensorData::new(elements.collect(), [order, order]), device)
}
