//! A model's weights, as the kernels of a decode step bind them.

use burn::tensor::{Device, Tensor};

use crate::cache::CacheTypes;
use crate::fused::{DecodeSizes, Features};
use crate::kernels::{BlockMatrix, BoundBuffer, KernelError, buffer_of};
use crate::model::{
    Activation, Attention, Block, LayerSpec, Llama, Matrix, NormSpan, Projection, RmsNorm,
    RopeConfig, RopeLayout,
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
    /// Ones where the model has no norms before.
    pub attention_norm: HeldBuffer,
    pub feed_forward_norm: HeldBuffer,
    /// `None` where the model has no norms after.
    pub attention_post_norm: Option<BoundBuffer>,
    pub feed_forward_post_norm: Option<BoundBuffer>,
    /// Biases, then the norms of the heads.
    pub extras: Option<HeldBuffer>,
    /// Biases of the other matrices.
    pub biases: LayerBiases,
    /// The layer's RoPE; `None` for none.
    pub rope: Option<usize>,
}

/// Biases of a layer's matrices but for the heads'. A matrix without one has zeros where others of
/// its kind have some.
#[derive(Default)]
pub(super) struct LayerBiases {
    pub output: Option<HeldBuffer>,
    /// Those of gate, and below them those of up.
    pub gate_up: Option<HeldBuffer>,
    pub down: Option<HeldBuffer>,
}

/// A buffer, and the tensor that keeps its memory alive.
pub(super) struct HeldBuffer {
    buffer: BoundBuffer,
    _tensor: Tensor<1>,
}

impl HeldBuffer {
    fn new(tensor: Tensor<1>) -> Result<Self, KernelError> {
        Ok(Self {
            buffer: buffer_of(&tensor)?,
            _tensor: tensor,
        })
    }

    pub fn buffer(&self) -> &BoundBuffer {
        &self.buffer
    }
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
            Some(next) => next.attention_norm.buffer(),
            None => &self.last_norm,
        }
    }
}

/// Sizes of `model`, with a cache of `types`; `None` if the kernels do not support them, or the
/// model's layers.
pub(super) fn sizes(model: &Llama, types: CacheTypes) -> Option<DecodeSizes> {
    let config = model.config();
    let layer = config.layer(0);
    // One set of kernels serves all layers.
    let alike = (1..config.layers).all(|other| {
        let other = config.layer(other);
        // Layers may differ in their RoPE and their window.
        let (rope, window) = (layer.rope, layer.window);
        let alike = LayerSpec {
            rope,
            window,
            ..other
        };
        computes(&other) && alike == layer
    });
    if !alike || !computes(&layer) {
        return None;
    }
    let ropes = config.ropes();
    let rope = ropes.first();
    let shape = |rope: &RopeConfig| (rope.rotated, rope.layout);
    if ropes
        .iter()
        .any(|other| rope.map(shape) != Some(shape(other)))
    {
        return None;
    }
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
        rotated: rope.map_or(0, |rope| rope.rotated),
        interleaved: rope.is_some_and(|rope| rope.layout == RopeLayout::Interleaved),
        biases: layer.biases.query_key_value,
        head_norms: layer.query_key_norms == Some(NormSpan::Head),
        types,
        features: Features {
            norms: layer.norms,
            norms_of_all_heads: layer.query_key_norms == Some(NormSpan::AllHeads),
            gelu: layer.activation == Activation::Gelu,
            embedding_scale: config.embedding_scale,
            residual_scale: layer.residual_scale,
            logit_scale: config.logit_scale,
            ropes: ropes.len(),
            query_growth: layer.query_growth.is_some(),
        },
    };
    sizes.fit().then_some(sizes)
}

/// True if the kernels compute all of such a layer.
fn computes(layer: &LayerSpec) -> bool {
    // All fields by name, so that none is forgotten when there is one more.
    let LayerSpec {
        norms: _,
        activation: _,
        rope: _,
        // The cache holds it.
        window: _,
        scale: _,
        softcap,
        biases: _,
        query_key_norms: _,
        query_growth: _,
        residual_scale: _,
    } = layer;
    softcap.is_none()
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
    let device = model.norm.weight().device();
    let width = model.config().width;
    let norm = |norm: Option<&RmsNorm>| {
        let ones = || Tensor::ones([width], &device);
        HeldBuffer::new(norm.map_or_else(ones, |norm| norm.weight().clone()))
    };
    let post_norm = |norm: Option<&RmsNorm>| norm.map(|norm| buffer_of(norm.weight())).transpose();
    for (number, block) in model.blocks.iter().enumerate() {
        let spec = model.config().layer(number);
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
            attention_norm: norm(block.attention_norm.as_ref())?,
            feed_forward_norm: norm(block.feed_forward_norm.as_ref())?,
            attention_post_norm: post_norm(block.attention_post_norm.as_ref())?,
            feed_forward_post_norm: post_norm(block.feed_forward_post_norm.as_ref())?,
            extras: extras(&block.attention, &spec, &device)?,
            biases: biases(block, &spec, &device)?,
            rope: block.attention.rope,
        });
    }
    Ok(Some(layers))
}

/// Biases of a layer's matrices but for the heads'; `None` where the layer has none.
fn biases(block: &Block, layer: &LayerSpec, device: &Device) -> Result<LayerBiases, KernelError> {
    let or_zeros = |bias: &Option<Tensor<1>>, matrix: &Matrix| {
        let zeros = || Tensor::zeros([matrix.height()], device);
        bias.clone().unwrap_or_else(zeros)
    };
    let mut biases = LayerBiases::default();
    if layer.biases.output {
        let attention = &block.attention;
        let output = or_zeros(&attention.output_bias, &attention.output);
        biases.output = Some(HeldBuffer::new(output)?);
    }
    if layer.biases.feed_forward {
        let feed_forward = &block.feed_forward;
        let gate = or_zeros(&feed_forward.gate_bias, &feed_forward.gate);
        let up = or_zeros(&feed_forward.up_bias, &feed_forward.up);
        let down = or_zeros(&feed_forward.down_bias, &feed_forward.down);
        biases.gate_up = Some(HeldBuffer::new(Tensor::cat(vec![gate, up], 0))?);
        biases.down = Some(HeldBuffer::new(down)?);
    }
    Ok(biases)
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
fn extras(
    attention: &Attention,
    layer: &LayerSpec,
    device: &Device,
) -> Result<Option<HeldBuffer>, KernelError> {
    let projections = [&attention.query, &attention.key, &attention.value];
    let biases = projections.iter().filter_map(|it| {
        let zeros = || Tensor::zeros([it.matrix.height()], device);
        let biased = layer.biases.query_key_value;
        biased.then(|| it.bias.clone().unwrap_or_else(zeros))
    });
    let norms = projections.iter().filter_map(|it| it.norm.as_ref());
    let parts: Vec<_> = biases
        .chain(norms.map(|norm| norm.weight().clone()))
        .collect();
    if parts.is_empty() {
        return Ok(None);
    }
    HeldBuffer::new(Tensor::cat(parts, 0)).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::spec::tests::{ROPE, computed_by_modules, not_computed};

    #[test]
    fn layers_without_kernels_are_left_to_the_modules() {
        let llama = LayerSpec::llama(8, ROPE);
        for layer in computed_by_modules().into_iter().chain([llama]) {
            assert!(computes(&layer), "{layer:?}");
        }
        for (feature, layer) in not_computed() {
            assert!(!computes(&layer), "{feature}");
        }
    }
}
