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
//! The balance s of keys against queries is `(a / b)^¼` per channel.
//!
//! Here a is the sum of the queries' squares and b the keys' variance. Then the product's error is
//! least.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

/// First positions of a prompt that its mean leaves out: attention sinks, whose keys are unlike
/// all others.
const LEFT_OUT: usize = 4;

/// Prompts of fewer positions leave out none.
const SHORT: usize = 16;

/// Least variance of a channel, as a share of all channels' mean.
const FLOOR: f32 = 1.0e-4;

/// Least variance of a channel, as a share of the keys' mean square. Keys of a prompt of one token
/// have no variance, and later ones have to be balanced all the same.
const UNKNOWN: f32 = 1.0e-6;

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
        let centred = keys.clone() - mean.clone();
        let unknown = (keys.clone() * keys).mean_dim(1).mean_dim(2) * UNKNOWN;
        let variance = floored((centred.clone() * centred).mean_dim(1), unknown);
        let squares = squares.reshape([heads, 1, dim]);
        let none = Tensor::zeros([heads, 1, 1], &squares.device());
        let squares = floored(squares, none);
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
        rotated((keys - self.mean()) * self.balance())
    }

    /// Queries `[query_heads, tokens, head_dim]` in the frame.
    pub fn query(&self, queries: Tensor<3>) -> Tensor<3> {
        let [heads, count, dim] = queries.dims();
        let [kv_heads, _, _] = self.numbers.dims();
        let group = heads / kv_heads;
        let queries = queries.reshape([kv_heads, group * count, dim]);
        rotated(queries / self.balance()).reshape([heads, count, dim])
    }

    /// Bytes.
    pub fn bytes(&self) -> u64 {
        4 * self.numbers.dims().iter().product::<usize>() as u64
    }

    /// The mean key μ, `[kv_heads, 1, head_dim]`.
    pub fn mean(&self) -> Tensor<3> {
        self.numbers.clone().narrow(1, 0, 1)
    }

    /// The balance s, `[kv_heads, 1, head_dim]`.
    pub fn balance(&self) -> Tensor<3> {
        self.numbers.clone().narrow(1, 1, 1)
    }
}

/// Raises channels of `[kv_heads, 1, head_dim]` that are almost zero, at least to `unknown`,
/// `[kv_heads, 1, 1]`.
fn floored(numbers: Tensor<3>, unknown: Tensor<3>) -> Tensor<3> {
    let least = numbers.clone().mean_dim(2) * FLOOR + unknown;
    let least = least.add_scalar(f32::MIN_POSITIVE);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers<const D: usize>(shape: [usize; D], seed: f32) -> Tensor<D> {
        let count = shape.iter().product();
        let number = |at: usize| (at as f32 * (1.3 + seed)).sin() * (1.0 + (at % 7) as f32);
        let numbers: Vec<f32> = (0..count).map(number).collect();
        Tensor::from_data(TensorData::new(numbers, shape), &Device::flex())
    }

    fn largest<const D: usize>(tensor: Tensor<D>) -> f32 {
        tensor.abs().max().into_scalar::<f32>()
    }

    #[test]
    fn turned_twice_is_as_before() {
        for dim in [32, 64, 96, 128, 192, 256] {
            let rows = numbers([3, dim], 0.1);
            let turned = rotated(rows.clone());
            assert!(largest(turned.clone() - rows.clone()) > 0.1, "{dim}");
            assert!(largest(rotated(turned) - rows) < 1e-4, "{dim}");
        }
    }

    /// Also of a prompt of one token, whose keys have no variance.
    #[test]
    fn products_are_those_of_centred_keys() {
        for (dim, count) in [(32, 20), (64, 20), (96, 20), (128, 20), (64, 1), (64, 15)] {
            let keys = numbers([2, count, dim], 0.2);
            let queries = numbers([4, count, dim], 0.3);
            let frame = Frame::of_prompt(keys.clone(), Frame::squares(queries.clone(), 2));
            let others = numbers([2, 9, dim], 0.4);
            let product = |queries: Tensor<3>, keys: Tensor<3>| {
                queries
                    .reshape([2, 2 * count, dim])
                    .matmul(keys.swap_dims(1, 2))
            };
            let framed = frame.key(others.clone());
            assert!(largest(framed.clone()) < 65_504.0, "no element is huge");
            let found = product(frame.query(queries.clone()), framed);
            let used = if count < 16 {
                keys
            } else {
                keys.narrow(1, 4, count - 4)
            };
            let expected = product(queries, others - used.mean_dim(1));
            let most = largest(expected.clone());
            assert!(largest(found - expected) < 1e-5 * most, "{dim}, {count}");
        }
    }
}
