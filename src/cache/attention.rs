//! Grouped attention that returns its probabilities, so that selection does not compute them again.
//!
//! One stored KV head serves its whole query group. The published code stores a copy per query
//! head: for Llama 3's groups of four, four times the memory.

use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Int, Tensor};

use crate::kernels::{attention_output, attention_probabilities, attention_takes, runs_wgsl};

/// The logit of a hidden slot: finite, as WGSL has no infinity, and far below any other.
const HIDDEN: f32 = -1.0e30;

/// Most queries per KV head that are multiplied from the right. From the left, burn's CPU device
/// would first copy the keys into panels, which takes longer than the product.
const FEW: usize = 16;

/// The slots in use that queries see.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sight {
    /// All of them.
    Everything,
    /// Those of no later position than the query's own, and of the `window` newest of these. The
    /// queries' positions count from `first`.
    Causal { first: usize, window: Option<usize> },
}

/// Attention probabilities of `queries` over `keys`, both in f32. A kernel computes them on a
/// WebGPU device; tests hold it to the tensor operations here.
///
/// # Shapes
///
/// - queries: `[query_heads, queries, head_dim]`
/// - keys: `[kv_heads, slots, head_dim]`
/// - positions: `[kv_heads, slots]`, below 0 for empty slots
/// - output: `[kv_heads, group, queries, slots]`
pub(super) fn probabilities(
    queries: Tensor<3>,
    keys: Tensor<3>,
    positions: Tensor<2, Int>,
    sight: Sight,
) -> Tensor<4> {
    let [query_heads, count, dim] = queries.dims();
    let [heads, slots, _] = keys.dims();
    if runs_wgsl(&keys.device()) && attention_takes(dim) {
        // Positions are far below these: see `MOST_TOKENS`.
        let (first, window) = match sight {
            Sight::Everything => (i32::MAX - count as i32, None),
            Sight::Causal { first, window } => (first as i32, window),
        };
        #[expect(clippy::expect_used, reason = "the cache's tensors fit each other")]
        return attention_probabilities(queries, keys, positions, first, window)
            .expect("fitting tensors");
    }
    let group = query_heads / heads;
    let hidden = hidden(positions, sight, count);
    let queries =
        queries
            .mul_scalar(1.0 / (dim as f64).sqrt())
            .reshape([heads, group * count, dim]);
    let logits = if group * count <= FEW {
        let logits = keys.matmul(queries.swap_dims(1, 2));
        logits.swap_dims(1, 2)
    } else {
        queries.matmul(keys.swap_dims(1, 2))
    };
    // Logits that are infinite become NaN: softmax would give minus infinity no attention, unseen.
    let logits = logits.clone().mul_scalar(0.0) + logits;
    let logits = logits
        .reshape([heads, group, count, slots])
        .mask_fill(hidden.expand([heads, group, count, slots]), HIDDEN);
    softmax(logits, 3)
}

/// Values `[kv_heads, slots, head_dim]` weighted by the probabilities:
/// `[query_heads, queries, head_dim]`.
pub(super) fn output(probabilities: Tensor<4>, values: Tensor<3>) -> Tensor<3> {
    let [heads, group, count, slots] = probabilities.dims();
    let [_, _, dim] = values.dims();
    if runs_wgsl(&values.device()) && attention_takes(dim) {
        #[expect(clippy::expect_used, reason = "the cache's tensors fit each other")]
        return attention_output(probabilities, values).expect("fitting tensors");
    }
    probabilities
        .reshape([heads, group * count, slots])
        .matmul(values)
        .reshape([heads * group, count, dim])
}

/// The slots hidden from `count` queries: `[kv_heads, 1, 1 or count, slots]`.
fn hidden(positions: Tensor<2, Int>, sight: Sight, count: usize) -> Tensor<4, Bool> {
    let [heads, slots] = positions.dims();
    let Sight::Causal { first, window } = sight else {
        return positions.lower_elem(0).reshape([heads, 1, 1, slots]);
    };
    let queries = first as i64..(first + count) as i64;
    let queries = Tensor::<1, Int>::arange(queries, &positions.device())
        .reshape([1, 1, count, 1])
        .expand([heads, 1, count, slots]);
    let positions = positions
        .reshape([heads, 1, 1, slots])
        .expand([heads, 1, count, slots]);
    let ahead = positions.clone().greater(queries.clone());
    let hidden = ahead.bool_or(positions.clone().lower_elem(0));
    match window {
        None => hidden,
        Some(window) => {
            let passed = (queries - positions).greater_equal_elem(window as i64);
            hidden.bool_or(passed)
        }
    }
}

/// Probabilities averaged over the query group and summed over the queries: `[kv_heads, slots]`.
pub(super) fn group_mean(probabilities: Tensor<4>) -> Tensor<2> {
    let [heads, _, _, slots] = probabilities.dims();
    probabilities.sum_dim(2).mean_dim(1).reshape([heads, slots])
}

/// Queries at a time, so that their logits over `slots` slots take 16 MB.
pub(super) fn tile(query_heads: usize, slots: usize) -> usize {
    const ELEMENTS: usize = 4 << 20;
    (ELEMENTS / (query_heads * slots).max(1)).max(1)
}
