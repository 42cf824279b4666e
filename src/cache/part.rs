//! Parts of tensors in memory of their own.

use std::ops::Range;

use burn::tensor::Tensor;
use burn::tensor::kind::Basic;

/// The entries `range` of dimension `dim`, copied.
///
/// A narrowed tensor may be a view that keeps the whole alive, and arithmetic on it may work in place and keep it too; a
/// selection by index never does.
pub(super) fn part<const D: usize, K: Basic>(
    tensor: Tensor<D, K>,
    dim: usize,
    range: Range<usize>,
) -> Tensor<D, K> {
    let index = Tensor::arange(range.start as i64..range.end as i64, &tensor.device());
    tensor.select(dim, index)
}
