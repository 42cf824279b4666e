//! From tensors to a model.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};

use super::super::attention::{Attention, Projection};
use super::super::block::Block;
use super::super::config::LlamaConfig;
use super::super::error::ModelError;
use super::super::feed_forward::FeedForward;
use super::super::llama::Llama;
use super::super::matrix::Matrix;
use super::super::norm::RmsNorm;
use super::super::rope::Rope;
use super::super::weight::{LayerPart, Weight};
use super::sink::{Read, TensorSink};
use crate::Error;
use crate::formats::TensorInfo;
use crate::kernels::{BlockMatrix, MatrixShape};

/// The tensors that have come so far. Every one is checked against what the configuration says before memory is taken.
pub(super) struct ModelBuilder {
    config: LlamaConfig,
    device: Device,
    /// The tensor whose bytes are coming.
    sink: Option<TensorSink>,
    matrices: BTreeMap<Weight, Matrix>,
    vectors: BTreeMap<Weight, Vec<f32>>,
    /// The most that a shader can have in one binding.
    binding_bytes: u64,
}

impl ModelBuilder {
    pub fn new(config: LlamaConfig, device: Device) -> Self {
        Self {
            config,
            device,
            sink: None,
            matrices: BTreeMap::new(),
            vectors: BTreeMap::new(),
            binding_bytes: u64::MAX,
        }
    }

    /// Takes some bytes of a tensor: their offset in it, themselves, and whether they are the last. `binding_bytes` is the
    /// most that a shader can have in one binding.
    pub fn take(
        &mut self,
        weight: Option<Weight>,
        tensor: &TensorInfo,
        (offset, bytes, last): (u64, &[u8], bool),
        binding_bytes: u64,
    ) -> Result<(), Error> {
        self.binding_bytes = binding_bytes;
        if offset == 0 {
            self.sink = None;
            if !is_derived(&tensor.name) {
                self.sink = Some(self.begin(weight, tensor, binding_bytes)?);
            }
        }
        if let Some(sink) = &mut self.sink {
            sink.push(bytes)?;
        }
        if let Some(sink) = self.sink.take_if(|_| last) {
            self.end(sink);
        }
        Ok(())
    }

    /// Makes room for a tensor whose bytes are about to come.
    fn begin(
        &self,
        weight: Option<Weight>,
        tensor: &TensorInfo,
        binding_bytes: u64,
    ) -> Result<TensorSink, Error> {
        let name = crate::quoted::quoted(&tensor.name);
        let expected = weight.and_then(|weight| Some((weight, self.config.shape(weight)?)));
        let Some((weight, expected)) = expected else {
            let architecture = self.config.architecture.name();
            return Err(ModelError::UnexpectedTensor { name, architecture }.into());
        };
        let found = tensor.shape();
        if !found
            .iter()
            .copied()
            .eq(expected.iter().map(|&size| size as u64))
        {
            return Err(ModelError::Shape {
                name,
                found,
                expected,
            }
            .into());
        }
        if let [rows, width] = expected[..] {
            let bytes = BlockMatrix::largest_plane(MatrixShape {
                format: tensor.format,
                rows,
                width,
            });
            if bytes > binding_bytes {
                return Err(ModelError::TensorTooLarge {
                    name,
                    bytes,
                    most: binding_bytes,
                }
                .into());
            }
        }
        Ok(TensorSink::new(
            weight,
            tensor.format,
            expected,
            &self.device,
        )?)
    }

    /// Takes a tensor whose bytes have all come.
    fn end(&mut self, sink: TensorSink) {
        let weight = sink.weight;
        match sink.finish(&self.device) {
            Read::Matrix(matrix) => {
                self.matrices.insert(weight, matrix);
            }
            Read::Vector(elements) => {
                self.vectors.insert(weight, elements);
            }
        }
    }

    /// The model, if everything it needs has come.
    pub fn finish(mut self) -> Result<Llama, Error> {
        let factors = self.vectors.remove(&Weight::RopeFactors);
        let rope = Rope::new(&self.config.rope, factors)?;
        let embedding = self.matrix(Weight::TokenEmbedding)?;
        let output = self.matrices.remove(&Weight::Output);
        if output.is_none() && !self.config.tied {
            return Err(self.missing(Weight::Output));
        }
        let norm = self.norm(Weight::OutputNorm)?;
        let blocks = (0..self.config.layers)
            .map(|layer| self.block(layer))
            .collect::<Result<_, _>>()?;
        let mut config = self.config;
        config.tied = output.is_none();
        Ok(Llama {
            embedding,
            blocks,
            norm,
            output,
            config,
            rope,
        })
    }

    fn block(&mut self, layer: usize) -> Result<Block, Error> {
        use LayerPart as Part;
        let weight = |part| Weight::Layer { layer, part };
        self.join(layer, &[Part::Query, Part::Key, Part::Value]);
        self.join(layer, &[Part::Gate, Part::Up]);
        Ok(Block {
            attention_norm: self.norm(weight(Part::AttentionNorm))?,
            attention: Attention {
                query: self.projection(
                    layer,
                    Part::Query,
                    Part::QueryBias,
                    Some(Part::QueryNorm),
                )?,
                key: self.projection(layer, Part::Key, Part::KeyBias, Some(Part::KeyNorm))?,
                value: self.projection(layer, Part::Value, Part::ValueBias, None)?,
                output: self.matrix(weight(Part::AttentionOutput))?,
                head_dim: self.config.head_dim,
            },
            feed_forward_norm: self.norm(weight(Part::FeedForwardNorm))?,
            feed_forward: FeedForward {
                gate: self.matrix(weight(Part::Gate))?,
                up: self.matrix(weight(Part::Up))?,
                down: self.matrix(weight(Part::Down))?,
            },
        })
    }

    /// Joins those of a layer's matrices that one kernel goes over, as far as neighbours are alike: files may store values
    /// with more bits than queries and keys.
    fn join(&mut self, layer: usize, parts: &[LayerPart]) {
        let weights: Vec<Weight> = parts
            .iter()
            .map(|&part| Weight::Layer { layer, part })
            .collect();
        let mut begun = 0;
        while begun < weights.len() {
            let format = |weight: &Weight| match self.matrices.get(weight) {
                Some(Matrix::Blocks(matrix)) => Some(matrix.shape().format),
                _ => None,
            };
            let first = format(&weights[begun]);
            let alike = weights[begun..].iter();
            let count = alike.take_while(|weight| format(weight) == first).count();
            let run = &weights[begun..begun + count];
            begun += count;
            if first.is_none() {
                continue;
            }
            let matrices = run
                .iter()
                .filter_map(|weight| match self.matrices.remove(weight) {
                    Some(Matrix::Blocks(matrix)) => Some(matrix),
                    _ => None,
                });
            let joined = BlockMatrix::joined(matrices.collect(), self.binding_bytes);
            let joined = joined.into_iter().map(Matrix::Blocks);
            self.matrices.extend(run.iter().copied().zip(joined));
        }
    }

    fn projection(
        &mut self,
        layer: usize,
        matrix: LayerPart,
        bias: LayerPart,
        norm: Option<LayerPart>,
    ) -> Result<Projection, Error> {
        let weight = |part| Weight::Layer { layer, part };
        let norm = norm.map(weight);
        Ok(Projection {
            matrix: self.matrix(weight(matrix))?,
            bias: match self.vectors.remove(&weight(bias)) {
                Some(elements) => Some(self.vector(elements)),
                None if self.config.requires(weight(bias)) => {
                    return Err(self.missing(weight(bias)));
                }
                None => None,
            },
            norm: match norm.filter(|norm| self.config.requires(*norm)) {
                Some(norm) => Some(self.norm(norm)?),
                None => None,
            },
        })
    }

    fn matrix(&mut self, weight: Weight) -> Result<Matrix, Error> {
        let matrix = self.matrices.remove(&weight);
        matrix.ok_or_else(|| self.missing(weight))
    }

    fn norm(&mut self, weight: Weight) -> Result<RmsNorm, Error> {
        match self.vectors.remove(&weight) {
            Some(elements) => Ok(RmsNorm::new(
                self.vector(elements),
                self.config.norm_epsilon,
            )),
            None => Err(self.missing(weight)),
        }
    }

    fn vector(&self, elements: Vec<f32>) -> Tensor<1> {
        let length = [elements.len()];
        Tensor::from_data(TensorData::new(elements, length), &self.device)
    }

    fn missing(&self, weight: Weight) -> Error {
        ModelError::MissingTensor {
            name: weight.gguf_name(),
        }
        .into()
    }
}

/// `true` for rotary frequencies, which older files carry although they follow from the configuration.
fn is_derived(name: &str) -> bool {
    name.ends_with(".rotary_emb.inv_freq") || name.ends_with(".attn_rot_embd.weight")
}
