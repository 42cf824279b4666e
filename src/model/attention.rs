//! Grouped-query attention (Ainslie et al., arXiv 2305.13245) over a [`ScopeCache`].

use burn::module::Module;
use burn::tensor::Tensor;

use super::feed_forward::biased;
use super::matrix::Matrix;
use super::norm::RmsNorm;
use super::rotation::Rotations;
use super::spec::LayerSpec;
use crate::Error;
use crate::cache::ScopeCache;
use crate::kernels::{KernelError, attention_scale};

/// Attention of one layer, for tokens x:
///
/// y = W_o · concat(softmax(s · q_h · Kᵀ) · V over query heads h) + b_o
///
/// Where:
/// - q_h = RoPE(norm(W_q · x + b_q)), with b, norm and RoPE where the model has them
/// - K has the keys RoPE(norm(W_k · x + b_k)), one KV head per group of query heads
/// - V has the values W_v · x + b_v
/// - s is the layer's scale, 1/√head_dim in most models
/// - K and V are what the cache holds: keys, values and the softmax over them are its part
#[derive(Module, Debug)]
pub struct Attention {
    pub(crate) query: Projection,
    pub(crate) key: Projection,
    pub(crate) value: Projection,
    /// W_o, `[width, query_heads · head_dim]`.
    pub(crate) output: Matrix,
    /// b_o, `[width]`.
    pub(crate) output_bias: Option<Tensor<1>>,
    /// Elements of a head.
    #[module(skip)]
    pub(crate) head_dim: usize,
    /// The layer's RoPE, among the model's; `None` if it has none.
    #[module(skip)]
    pub(crate) rope: Option<usize>,
    /// Factor of queries, where s is not the scale that the cache applies.
    #[module(skip)]
    pub(crate) query_factor: Option<f32>,
}

/// Projection to heads: norm(W · x + b).
#[derive(Module, Debug)]
pub struct Projection {
    /// W, `[heads · head_dim, width]`.
    pub(crate) matrix: Matrix,
    /// b, `[heads · head_dim]`, where the model has one.
    pub(crate) bias: Option<Tensor<1>>,
    /// The norm of each head by itself, or of all together, where the architecture has one.
    pub(crate) norm: Option<RmsNorm>,
}

/// Place that a layer's tokens go to.
pub(super) struct CachePlace<'a> {
    pub layer: usize,
    pub cache: &'a mut ScopeCache,
    /// True if the token was decoded, and is no part of a prompt.
    pub decoded: bool,
}

impl Attention {
    /// Factor of queries by which a cache, which scales by 1/√head_dim, comes to the layer's scale.
    pub(super) fn query_factor(layer: &LayerSpec, head_dim: usize) -> Option<f32> {
        let applied = attention_scale(head_dim);
        (layer.scale != applied).then_some(layer.scale / applied)
    }

    /// Puts tokens into the cache and computes y for each.
    ///
    /// # Shapes
    ///
    /// - input: `[tokens, width]`, f32
    /// - output: `[tokens, width]`, f32
    pub(super) fn forward(
        &self,
        input: Tensor<2>,
        rotations: &Rotations,
        place: CachePlace<'_>,
    ) -> Result<Tensor<2>, Error> {
        let [tokens, _] = input.dims();
        let dim = self.head_dim;
        let [queries, keys, values] = self.heads(input, rotations)?;
        let [query_heads, _, _] = queries.dims();
        let CachePlace {
            layer,
            cache,
            decoded,
        } = place;
        let attended = if decoded {
            let [kv_heads, _, _] = keys.dims();
            let key = keys.reshape([kv_heads, dim]);
            let value = values.reshape([kv_heads, dim]);
            let query = queries.reshape([query_heads, dim]);
            cache.step(layer, query, key, value)?
        } else {
            let attended = cache.append(layer, queries, keys, values)?;
            attended
                .swap_dims(0, 1)
                .reshape([tokens * query_heads, dim])
        };
        let attended = attended.reshape([tokens, query_heads * dim]);
        self.finished(attended)
    }

    /// Puts one token into each of `caches` and computes y for each.
    ///
    /// # Shapes
    ///
    /// - input: `[caches, width]`, f32
    /// - output: `[caches, width]`, f32
    pub(super) fn step_each(
        &self,
        input: Tensor<2>,
        rotations: &Rotations,
        layer: usize,
        caches: &mut [ScopeCache],
    ) -> Result<Tensor<2>, Error> {
        let [queries, keys, values] = self.heads(input, rotations)?;
        let mut attended = Vec::with_capacity(caches.len());
        for (row, cache) in caches.iter_mut().enumerate() {
            let own = |heads: &Tensor<3>| heads.clone().narrow(1, row, 1).squeeze_dim::<2>(1);
            let output = cache.step(layer, own(&queries), own(&keys), own(&values))?;
            let [query_heads, dim] = output.dims();
            attended.push(output.reshape([1, query_heads * dim]));
        }
        self.finished(Tensor::cat(attended, 0))
    }

    /// W_o · x + b_o for each row x.
    fn finished(&self, attended: Tensor<2>) -> Result<Tensor<2>, Error> {
        let output = self.output.product(attended)?;
        Ok(biased(output, self.output_bias.as_ref()))
    }

    /// Queries, keys and values of `input`, `[tokens, width]`, each `[heads, tokens, head_dim]`.
    fn heads(&self, input: Tensor<2>, rotations: &Rotations) -> Result<[Tensor<3>; 3], Error> {
        let dim = self.head_dim;
        let queries = rotations.queries(self.rope, self.query.heads(input.clone(), dim)?)?;
        let queries = match self.query_factor {
            Some(factor) => queries.mul_scalar(factor),
            None => queries,
        };
        let keys = rotations.keys(self.rope, self.key.heads(input.clone(), dim)?)?;
        let values = self.value.heads(input, dim)?.swap_dims(0, 1);
        Ok([queries, keys, values])
    }
}

impl Projection {
    /// `[tokens, width]` to `[tokens, heads, head_dim]`.
    fn heads(&self, input: Tensor<2>, dim: usize) -> Result<Tensor<3>, KernelError> {
        let [tokens, _] = input.dims();
        let mut heads = biased(self.matrix.product(input)?, self.bias.as_ref());
        let count = self.matrix.height() / dim;
        if let Some(norm) = &self.norm {
            // One head's elements, or all heads'.
            let [span] = norm.weight().dims();
            heads = norm.forward(heads.reshape([tokens * count * dim / span.max(1), span]))?;
        }
        Ok(heads.reshape([tokens, count, dim]))
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;
    use crate::cache::{CacheType, ScopeCacheConfig};
    use crate::model::rope::{Rope, RopeConfig, RopeFactors};
    use crate::model::rotation::Positions;
    use crate::model::spec::tests::ROPE;
    use burn::tensor::{Device, TensorData};

    const DIM: usize = 4;

    /// `rows[i]` names the element of the input that is element i of the output.
    fn selection(rows: [usize; DIM], device: &Device) -> Matrix {
        let element = |at: usize| f32::from(rows[at / DIM] == at % DIM);
        let elements: Vec<f32> = (0..DIM * DIM).map(element).collect();
        Matrix::Plain(Tensor::from_data(
            TensorData::new(elements, [DIM, DIM]),
            device,
        ))
    }

    fn projection(rows: [usize; DIM], device: &Device) -> Projection {
        Projection {
            matrix: selection(rows, device),
            bias: None,
            norm: None,
        }
    }

    /// Tokens are unit vectors of elements that are not rotated. The second one's query is the
    /// first one's key. Its logits are s and 0, and its weights e^s to 1.
    #[test]
    fn the_scale_is_the_layers() {
        let device = Device::flex();
        let rope = RopeConfig { rotated: 2, ..ROPE };
        for scale in [attention_scale(DIM), 3.0_f32.ln(), 0.0] {
            let layer = LayerSpec {
                scale,
                ..LayerSpec::llama(DIM, rope)
            };
            let attention = Attention {
                query: projection([0, 1, 3, 2], &device),
                key: projection([0, 1, 2, 3], &device),
                value: projection([0, 1, 2, 3], &device),
                output: selection([0, 1, 2, 3], &device),
                output_bias: None,
                head_dim: DIM,
                rope: Some(0),
                query_factor: Attention::query_factor(&layer, DIM),
            };
            let config = ScopeCacheConfig::new(1, 1, 1, DIM).with_cache_type(CacheType::F32);
            let mut cache = config.init(&device).unwrap();
            let ropes = [Rope::new(&rope, &RopeFactors::None).unwrap()];
            let both = Positions::From { first: 0, count: 2 };
            let rotations = Rotations::new(&ropes, None, both, &device);
            let tokens = vec![0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0_f32];
            let input = Tensor::from_data(TensorData::new(tokens, [2, DIM]), &device);
            let place = CachePlace {
                layer: 0,
                cache: &mut cache,
                decoded: false,
            };
            let output = attention.forward(input, &rotations, place).unwrap();
            let output: Vec<f32> = output.try_into_data().unwrap().try_to_vec().unwrap();
            let first = scale.exp() / (scale.exp() + 1.0);
            for (found, expected) in output[DIM..].iter().zip([0.0, 0.0, first, 1.0 - first]) {
                assert!((found - expected).abs() < 1e-6, "{scale}: {output:?}");
            }
        }
    }
}
