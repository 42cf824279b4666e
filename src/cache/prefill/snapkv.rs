//! SnapKV: attention from the observation window's queries, pooled along the positions so that what stands around a
//! heavy position stays with it.

use burn::tensor::Tensor;
use burn::tensor::module::{avg_pool1d, max_pool1d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};

use super::{Evidence, Needs, Pooling, PrefillRule, Prompt};

pub(super) struct SnapKv;

impl PrefillRule for SnapKv {
    fn needs(&self) -> Needs {
        Needs::WindowQueries
    }

    fn keep(&self, prompt: &Prompt) -> Option<usize> {
        Some(prompt.budgets.before_window())
    }

    fn score(&self, evidence: Evidence) -> Option<Tensor<2>> {
        let Evidence {
            attention,
            pooling,
            kernel,
        } = evidence;
        let attention = attention.unsqueeze_dim::<3>(1);
        let around = kernel / 2;
        let pooled = match pooling {
            Pooling::MaxPool => max_pool1d(
                attention,
                MaxPoolOptions::new([kernel])
                    .with_stride([1])
                    .with_padding([around]),
            ),
            Pooling::AvgPool => avg_pool1d(
                attention,
                AvgPoolOptions::new([kernel])
                    .with_stride([1])
                    .with_padding([around]),
            ),
        };
        Some(pooled.squeeze_dim::<2>(1))
    }
}
