//! Grouped-query attention (Ainslie et al., arXiv 2305.13245) over a [`ScopeCache`].

use burn::module::Module;
use burn::tensor::Tensor;

use super::matrix::Matrix;
use super::norm::RmsNorm;
use super::rotation::Rotation;
use crate::Error;
use crate::cache::ScopeCache;
use crate::kernels::KernelError;

/// One layer's projections. Keys, values and the attention itself are the cache's.
#[derive(Module, Debug)]
pub struct Attention {
    pub(crate) query: Projection,
    pub(crate) key: Projection,
    pub(crate) value: Projection,
    /// `[width, query_heads · head_dim]`
    pub(crate) output: Matrix,
    /// Elements of a head.
    #[module(skip)]
    pub(crate) head_dim: usize,
}

/// A projection to heads.
#[derive(Module, Debug)]
pub struct Projection {
    /// `[heads · head_dim, width]`
    pub(crate) matrix: Matrix,
    /// `[heads · head_dim]`, where the architecture has one.
    pub(crate) bias: Option<Tensor<1>>,
    /// Of each head by itself, where the architecture has one.
    pub(crate) norm: Option<RmsNorm>,
}

/// Where a layer's tokens go.
pub(crate) struct Place<'a> {
    pub layer: usize,
    pub cache: &'a mut ScopeCache,
    /// Whether the token is one that was decoded, and not part of a prompt.
    pub decoded: bool,
}

impl Attention {
    /// Puts `input`, `[tokens, width]`, into the cache and returns what it attends to, in the same shape.
    pub(super) fn forward(
        &self,
        input: Tensor<2>,
        rotation: &Rotation,
        place: Place<'_>,
    ) -> Result<Tensor<2>, Error> {
        let [tokens, _] = input.dims();
        let dim = self.head_dim;
        let [queries, keys, values] = self.heads(input, rotation)?;
        let [query_heads, _, _] = queries.dims();
        let Place {
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
        Ok(self.output.product(attended)?)
    }

    /// Puts `input`, `[caches, width]`, one token each into `caches` and returns what it attends to there, in the same
    /// shape.
    pub(super) fn step_each(
        &self,
        input: Tensor<2>,
        rotation: &Rotation,
        layer: usize,
        caches: &mut [ScopeCache],
    ) -> Result<Tensor<2>, Error> {
        let [queries, keys, values] = self.heads(input, rotation)?;
        let mut attended = Vec::with_capacity(caches.len());
        for (row, cache) in caches.iter_mut().enumerate() {
            let own = |heads: &Tensor<3>| heads.clone().narrow(1, row, 1).squeeze_dim::<2>(1);
            let output = cache.step(layer, own(&queries), own(&keys), own(&values))?;
            let [query_heads, dim] = output.dims();
            attended.push(output.reshape([1, query_heads * dim]));
        }
        Ok(self.output.product(Tensor::cat(attended, 0))?)
    }

    /// Queries, keys and values of `input`, `[tokens, width]`, each `[heads, tokens, head_dim]`, turned by their positions.
    fn heads(&self, input: Tensor<2>, rotation: &Rotation) -> Result<[Tensor<3>; 3], Error> {
        let dim = self.head_dim;
        let queries = rotation.turn(self.query.heads(input.clone(), dim)?)?;
        let keys = rotation.turn(self.key.heads(input.clone(), dim)?)?;
        let values = self.value.heads(input, dim)?.swap_dims(0, 1);
        Ok([queries, keys, values])
    }
}

impl Projection {
    /// `[tokens, width]` to `[tokens, heads, head_dim]`.
    fn heads(&self, input: Tensor<2>, dim: usize) -> Result<Tensor<3>, KernelError> {
        let [tokens, _] = input.dims();
        let mut heads = self.matrix.product(input)?;
        if let Some(bias) = &self.bias {
            heads = heads + bias.clone().unsqueeze::<2>();
        }
        let count = self.matrix.height() / dim;
        if let Some(norm) = &self.norm {
            heads = norm.forward(heads.reshape([tokens * count, dim]))?;
        }
        Ok(heads.reshape([tokens, count, dim]))
    }
}
