//! A model's weights, as the kernels of a decode step bind them.

use burn::tensor::Tensor;

use crate::cache::CacheType;
use crate::fused::DecodeSizes;
use crate::kernels::{BlockMatrix, BoundBuffer, KernelError, buffer_of};
use crate::model::{
    Activation, Attention, LayerSpec, Llama, Matrix, NormPlaces, Projection, RopeLayout,
};

/// The planes of one matrix, or of several that lie one below the other.
pub(super) struct MatrixBuffers {
    /// The first matrix, which keeps the memory alive.
    pub matrix: BlockMatrix,
    /// Rows of all of them.
    pub height: usize,
    pub quants: BoundBuffer,
    /// `None` for formats without scales.
    pub scales: Option<BoundBuffer>,
}

/// A matrix of queries, keys or values, or of neighbours among these.
pub(super) struct HeadsBuffers {
    pub matrix: MatrixBuffers,
    /// Its first head, counted over queries, keys and values.
    pub first_head: usize,
    /// Heads that it computes.
    pub heads: usize,
}

/// The weights of one layer.
pub(super) struct LayerWeights {
    pub heads: Vec<HeadsBuffers>,
    pub output: MatrixBuffers,
    pub gate_up: MatrixBuffers,
    pub down: MatrixBuffers,
    pub attention_norm: BoundBuffer,
    pub feed_forward_norm: BoundBuffer,
    /// Biases, then the norms of the heads; the tensor keeps the memory alive.
    pub extras: Option<(BoundBuffer, Tensor<1>)>,
}

/// The weights of a model with at least one layer.
pub(super) struct ModelWeights {
    pub embedding: MatrixBuffers,
    pub layers: Vec<LayerWeights>,
    pub last_norm: BoundBuffer,
    pub output: MatrixBuffers,
}

impl ModelWeights {
    /// The weights of `model`; `None` if a matrix is not as the kernels need it.
    ///
    /// # Errors
    ///
    /// [`KernelError::Device`] if the device does not answer.
    pub fn of(model: &Llama) -> Result<Option<Self>, KernelError> {
        let output = model.output.as_ref().unwrap_or(&model.embedding);
        let ends = (single(&model.embedding)?, single(output)?);
        let (Some(layers), (Some(embedding), Some(output))) = (layers(model)?, ends) else {
            return Ok(None);
        };
        if layers.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            embedding,
            layers,
            last_norm: buffer_of(model.norm.weight())?,
            output,
        }))
    }

    /// The norm that the hidden state goes through next, after `layers` layers.
    pub fn norm_after(&self, layers: usize) -> &BoundBuffer {
        match self.layers.get(layers) {
            Some(next) => &next.attention_norm,
            None => &self.last_norm,
        }
    }
}

/// Sizes of `model`, with a cache of `cache_type`; `None` if the kernels do not support them, or
/// the model's layers.
pub(super) fn sizes(model: &Llama, cache_type: CacheType) -> Option<DecodeSizes> {
    let config = model.config();
    let layer = config.layer(0);
    // One set of kernels serves all layers.
    let alike = (1..config.layers).all(|other| config.layer(other) == layer);
    if !alike || !computes(&layer) {
        return None;
    }
    let rope = layer.rope?;
    let sizes = DecodeSizes {
        layers: config.layers,
        width: config.width,
        feed_forward: config.feed_forward,
        query_heads: config.query_heads,
        kv_heads: config.kv_heads,
        dim: config.head_dim,
        vocabulary: config.vocabulary,
        epsilon: config.norm_epsilon,
        scale: layer.scale,
        rotated: rope.rotated,
        interleaved: rope.layout == RopeLayout::Interleaved,
        biases: layer.biases.query_key_value,
        head_norms: layer.head_norms,
        rows: cache_type.row_format(),
    };
    sizes.fit().then_some(sizes)
}

/// True if the kernels compute all of such a layer.
fn computes(layer: &LayerSpec) -> bool {
    // All fields by name, so that none is forgotten when there is one more.
    let LayerSpec {
        norms,
        activation,
        rope,
        window,
        scale: _,
        softcap,
        biases,
        head_norms: _,
        residual_scale,
    } = layer;
    *norms == NormPlaces::Before
        && *activation == Activation::Silu
        && rope.is_some()
        && window.is_none()
        && softcap.is_none()
        && !biases.output
        && !biases.feed_forward
        && *residual_scale == 1.0
}

/// A matrix by itself.
fn single(matrix: &Matrix) -> Result<Option<MatrixBuffers>, KernelError> {
    adjacent(&[matrix])
}

/// Matrices that lie one below the other in one pair of planes; `None` if they do not.
fn adjacent(matrices: &[&Matrix]) -> Result<Option<MatrixBuffers>, KernelError> {
    let mut height = 0;
    let mut before: Option<&BlockMatrix> = None;
    for matrix in matrices {
        let Matrix::Blocks(matrix) = matrix else {
            return Ok(None);
        };
        if before.is_some_and(|before| !matrix.follows(before)) {
            return Ok(None);
        }
        height += matrix.shape().rows;
        before = Some(matrix);
    }
    let Some(Matrix::Blocks(first)) = matrices.first() else {
        return Ok(None);
    };
    let (quants, scales) = first.planes()?;
    Ok(Some(MatrixBuffers {
        matrix: first.clone(),
        height,
        quants,
        scales,
    }))
}

/// Gate and up of the first layer; `None` if they are not as the kernels need them.
pub(super) fn first_feed_forward(model: &Llama) -> Result<Option<MatrixBuffers>, KernelError> {
    match model.blocks.first() {
        Some(block) => adjacent(&[&block.feed_forward.gate, &block.feed_forward.up]),
        None => Ok(None),
    }
}

/// The weights of every layer; `None` if a matrix is not as the kernels need it.
fn layers(model: &Llama) -> Result<Option<Vec<LayerWeights>>, KernelError> {
    let mut layers = Vec::with_capacity(model.blocks.len());
    for block in &model.blocks {
        let feed_forward = &block.feed_forward;
        let all = (
            heads(&block.attention)?,
            single(&block.attention.output)?,
            adjacent(&[&feed_forward.gate, &feed_forward.up])?,
            single(&feed_forward.down)?,
        );
        let (Some(heads), Some(output), Some(gate_up), Some(down)) = all else {
            return Ok(None);
        };
        layers.push(LayerWeights {
            heads,
            output,
            gate_up,
            down,
            attention_norm: buffer_of(block.attention_norm.weight())?,
            feed_forward_norm: buffer_of(block.feed_forward_norm.weight())?,
            extras: extras(&block.attention)?,
        });
    }
    Ok(Some(layers))
}

/// Queries, keys and values, in as few matrices as their formats allow.
fn heads(attention: &Attention) -> Result<Option<Vec<HeadsBuffers>>, KernelError> {
    let projections = [&attention.query, &attention.key, &attention.value];
    let mut groups: Vec<(usize, Vec<&Matrix>)> = Vec::new();
    let mut first_head = 0;
    for Projection { matrix, .. } in projections {
        match (groups.last_mut(), matrix) {
            (Some((_, group)), Matrix::Blocks(next)) if follows(group, next) => group.push(matrix),
            _ => groups.push((first_head, vec![matrix])),
        }
        first_head += matrix.height() / attention.head_dim;
    }
    let mut heads = Vec::with_capacity(groups.len());
    for (first_head, matrices) in groups {
        let Some(matrix) = adjacent(&matrices)? else {
            return Ok(None);
        };
        heads.push(HeadsBuffers {
            first_head,
            heads: matrix.height / attention.head_dim,
            matrix,
        });
    }
    Ok(Some(heads))
}

/// `true` if `next` lies below the last of `group`.
fn follows(group: &[&Matrix], next: &BlockMatrix) -> bool {
    matches!(group.last(), Some(Matrix::Blocks(last)) if next.follows(last))
}

/// Biases, then the norms of the heads, one after the other; `None` if there are none.
fn extras(attention: &Attention) -> Result<Option<(BoundBuffer, Tensor<1>)>, KernelError> {
    let projections = [&attention.query, &attention.key, &attention.value];
    let biases = projections.iter().filter_map(|it| it.bias.clone());
    let norms = projections.iter().filter_map(|it| it.norm.as_ref());
    let parts: Vec<_> = biases
        .chain(norms.map(|norm| norm.weight().clone()))
        .collect();
    if parts.is_empty() {
        return Ok(None);
    }
    let all = Tensor::cat(parts, 0);
    Ok(Some((buffer_of(&all)?, all)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::spec::tests::{ROPE, not_computed};

    #[test]
    fn layers_without_kernels_are_left_to_the_modules() {
        assert!(computes(&LayerSpec::llama(8, ROPE)));
        for (feature, layer) in not_computed() {
            assert!(!computes(&layer), "{feature}");
        }
    }
}
