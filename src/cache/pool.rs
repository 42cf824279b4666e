//! Scores of a prompt's positions: a policy's [`Score`] carried out by tensors.

use burn::tensor::Tensor;
use burn::tensor::module::{avg_pool1d, max_pool1d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};

use crate::policy::{Pooling, Score};

/// Scores `[kv_heads, positions]` of the positions before the window.
///
/// `attention` `[kv_heads, positions]` is that of the queries which `score` names, averaged over
/// the query group, earliest position first.
pub(super) fn scores(score: Score, attention: Tensor<2>) -> Tensor<2> {
    match score {
        Score::Position | Score::Attention { .. } => attention,
        Score::Pooled {
            kernel, pooling, ..
        } => pooled(attention, kernel, pooling),
    }
}

/// The same number of positions, pooled with a stride of 1.
fn pooled(attention: Tensor<2>, kernel: usize, pooling: Pooling) -> Tensor<2> {
    let attention = attention.unsqueeze_dim::<3>(1);
    let around = kernel / 2;
    let pooled = match pooling {
        Pooling::MaxPool => {
            let options = MaxPoolOptions::new([kernel]);
            max_pool1d(attention, options.with_stride([1]).with_padding([around]))
        }
        Pooling::AvgPool => {
            let options = AvgPoolOptions::new([kernel]);
            avg_pool1d(attention, options.with_stride([1]).with_padding([around]))
        }
    };
    pooled.squeeze_dim::<2>(1)
}
