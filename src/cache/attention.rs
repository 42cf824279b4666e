//! Grouped attention that hands its probabilities on to selection instead of having them computed twice.
//!
//! One stored KV head serves its whole query group. The published code repeats every KV head for each of its query heads
//! before it stores them, which for Llama 3's groups of four is four times the memory.

use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Int, Tensor};

/// Stands for a logit that can't be seen: finite, as WGSL has no infinity, and far below any that can.
const HIDDEN: f32 = -1.0e30;

/// Attention probabilities `[kv_heads, group, queries, slots]` of `queries`, `[query_heads, queries, head_dim]`, on `keys`,
/// `[kv_heads, slots, head_dim]`; both in f32. `hidden` is `[kv_heads, 1, 1 or queries, slots]`.
pub(super) fn probabilities(
    queries: Tensor<3>,
    keys: Tensor<3>,
    hidden: Tensor<4, Bool>,
) -> Tensor<4> {
    let [query_heads, count, dim] = queries.dims();
    let [heads, slots, _] = keys.dims();
    let group = query_heads / heads;
    let logits = queries
        .mul_scalar(1.0 / (dim as f64).sqrt())
        .reshape([heads, group * count, dim])
        .matmul(keys.swap_dims(1, 2))
        .reshape([heads, group, count, slots])
        .mask_fill(hidden.expand([heads, group, count, slots]), HIDDEN);
    softmax(logits, 3)
}

/// What the probabilities make of `values`, `[kv_heads, slots, head_dim]`: `[query_heads, queries, head_dim]`.
pub(super) fn output(probabilities: Tensor<4>, values: Tensor<3>) -> Tensor<3> {
    let [heads, group, count, slots] = probabilities.dims();
    let [_, _, dim] = values.dims();
    probabilities
        .reshape([heads, group * count, slots])
        .matmul(values)
        .reshape([heads * group, count, dim])
}

/// Empty slots, for a query that may see everything held: `[kv_heads, 1, 1, slots]`.
pub(super) fn hidden_empty(positions: Tensor<2, Int>) -> Tensor<4, Bool> {
    let [heads, slots] = positions.dims();
    positions.lower_elem(0).reshape([heads, 1, 1, slots])
}

/// Empty slots and those that hold later positions than the query's own, for `count` queries whose positions count from
/// `first`: `[kv_heads, 1, count, slots]`.
pub(super) fn hidden_after(
    positions: Tensor<2, Int>,
    first: usize,
    count: usize,
) -> Tensor<4, Bool> {
    let [heads, slots] = positions.dims();
    let queries = first as i64..(first + count) as i64;
    let queries = Tensor::<1, Int>::arange(queries, &positions.device())
        .reshape([1, 1, count, 1])
        .expand([heads, 1, count, slots]);
    let positions = positions
        .reshape([heads, 1, 1, slots])
        .expand([heads, 1, count, slots]);
    positions
        .clone()
        .greater(queries)
        .bool_or(positions.lower_elem(0))
}

/// Averaged over the query group and summed over the queries: `[kv_heads, slots]`.
pub(super) fn group_mean(probabilities: Tensor<4>) -> Tensor<2> {
    let [heads, _, _, slots] = probabilities.dims();
    probabilities.sum_dim(2).mean_dim(1).reshape([heads, slots])
}

/// How many queries to take at a time so that their logits on `slots` slots stay within some 16 MB.
pub(super) fn tile(query_heads: usize, slots: usize) -> usize {
    const ELEMENTS: usize = 4 << 20;
    (ELEMENTS / (query_heads * slots).max(1)).max(1)
}
