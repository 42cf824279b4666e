//! From tensors to a model.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};

use super::sink::{Read, TensorSink};
use crate::Error;
use crate::formats::TensorInfo;
use crate::kernels::{BlockMatrix, MatrixShape};
use crate::model::architecture::Naming;
use crate::model::attention::{Attention, Projection};
use crate::model::block::Block;
use crate::model::config::LlamaConfig;
use crate::model::error::ModelError;
use crate::model::feed_forward::FeedForward;
use crate::model::llama::Llama;
use crate::model::matrix::Matrix;
use crate::model::norm::RmsNorm;
use crate::model::rope::Rope;
use crate::model::weight::{LayerPart, Weight};

/// Tensors that have come so far. Each is checked against the configuration before memory is taken.
pub(super) struct ModelBuilder {
    config: LlamaConfig,
    /// Convention of the tensors' names.
    naming: Naming,
    device: Device,
    /// The tensor whose bytes are coming.
    sink: Option<TensorSink>,
    matrices: BTreeMap<Weight, Matrix>,
    vectors: BTreeMap<Weight, Vec<f32>>,
    /// Most bytes of one binding of a shader.
    binding_bytes: u64,
}

impl ModelBuilder {
    /// A builder without tensors.
    ///
    /// # Errors
    ///
    /// [`ModelError::Unsupported`] for a layer that the modules don't compute.
    pub fn new(
        config: LlamaConfig,
        naming: Naming,
        device: Device,
        binding_bytes: u64,
    ) -> Result<Self, ModelError> {
        for number in 0..config.layers {
            Block::expect_computes(number, &config.layer(number), &config.rope)?;
        }
        Ok(Self {
            config,
            naming,
            device,
            sink: None,
            matrices: BTreeMap::new(),
            vectors: BTreeMap::new(),
            binding_bytes,
        })
    }

    /// Refuses tensors that need more than this in one binding, from the next one on.
    pub fn set_binding_bytes(&mut self, binding_bytes: u64) {
        self.binding_bytes = binding_bytes;
    }

    /// Takes some bytes of a tensor: their offset in it, themselves, and whether they are the last.
    pub fn take(
        &mut self,
        tensor: &TensorInfo,
        (offset, bytes, last): (u64, &[u8], bool),
    ) -> Result<(), Error> {
        if offset == 0 {
            self.sink = None;
            if !is_derived(&tensor.name) {
                self.sink = Some(self.begin(tensor)?);
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
    fn begin(&self, tensor: &TensorInfo) -> Result<TensorSink, Error> {
        let name = crate::quoted::quoted(&tensor.name);
        let weight = self.config.architecture.weight(self.naming, &tensor.name);
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
            if bytes > self.binding_bytes {
                return Err(ModelError::TensorTooLarge {
                    name,
                    bytes,
                    most: self.binding_bytes,
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
                query_factor: Attention::query_factor(
                    &self.config.layer(layer),
                    self.config.head_dim,
                ),
            },
            feed_forward_norm: self.norm(weight(Part::FeedForwardNorm))?,
            feed_forward: FeedForward {
                gate: self.matrix(weight(Part::Gate))?,
                up: self.matrix(weight(Part::Up))?,
                down: self.matrix(weight(Part::Down))?,
            },
        })
    }

    /// Joins those of a layer's matrices that one kernel goes over, as far as neighbours are alike.
    /// Files may store values with more bits than queries and keys.
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
        let name = self.config.architecture.tensor_name(Naming::Gguf, weight);
        ModelError::MissingTensor {
            name: name.unwrap_or_default(),
        }
        .into()
    }
}

/// True if a tensor follows from the configuration: rotary frequencies, which older files carry.
fn is_derived(name: &str) -> bool {
    name.ends_with(".rotary_emb.inv_freq") || name.ends_with(".attn_rot_embd.weight")
}
