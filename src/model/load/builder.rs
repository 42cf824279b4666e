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
use crate::kernels::{BlockMatrix, MatrixShape};
use crate::weights::BlockFormat;

/// The tensors that have come so far. Every one is checked against what the configuration says before memory is taken.
pub(super) struct ModelBuilder {
    config: LlamaConfig,
    device: Device,
    /// The most bytes that a shader can have in one binding.
    binding_bytes: u64,
    matrices: BTreeMap<Weight, Matrix>,
    vectors: BTreeMap<Weight, Vec<f32>>,
}

impl ModelBuilder {
    pub fn new(config: LlamaConfig, device: Device, binding_bytes: u64) -> Self {
        Self {
            config,
            device,
            binding_bytes,
            matrices: BTreeMap::new(),
            vectors: BTreeMap::new(),
        }
    }

    /// The architecture's name.
    pub fn architecture(&self) -> &'static str {
        self.config.architecture.name()
    }

    /// Makes room for a tensor called `name` whose bytes are about to come; `shape` is outermost first.
    pub fn begin(
        &self,
        weight: Weight,
        name: &str,
        format: BlockFormat,
        shape: &[u64],
    ) -> Result<TensorSink, Error> {
        let Some(expected) = self.config.shape(weight) else {
            return Err(ModelError::UnexpectedTensor {
                name: name.to_owned(),
                architecture: self.config.architecture.name(),
            }
            .into());
        };
        if !shape
            .iter()
            .copied()
            .eq(expected.iter().map(|&size| size as u64))
        {
            return Err(ModelError::Shape {
                name: name.to_owned(),
                found: shape.to_vec(),
                expected,
            }
            .into());
        }
        if let [rows, width] = expected[..] {
            let needed = BlockMatrix::largest_plane(MatrixShape {
                format,
                rows,
                width,
            });
            if needed > self.binding_bytes {
                return Err(ModelError::TensorTooLarge {
                    name: name.to_owned(),
                    bytes: needed,
                    most: self.binding_bytes,
                }
                .into());
            }
        }
        Ok(TensorSink::new(weight, format, expected, &self.device)?)
    }

    /// Takes a tensor whose bytes have all come.
    pub fn end(&mut self, sink: TensorSink) {
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
