//! From tensors to a model.

use std::collections::{BTreeMap, VecDeque};

use burn::tensor::{Device, Tensor, TensorData};

use super::names::TensorNames;
use super::sink::{Read, TensorSink};
use crate::Error;
use crate::formats::{TensorInfo, WeightsError};
use crate::kernels::{BlockMatrix, MatrixShape};
use crate::model::architecture::Naming;
use crate::model::attention::{Attention, Projection};
use crate::model::block::Block;
use crate::model::config::LlamaConfig;
use crate::model::error::ModelError;
use crate::model::feed_forward::FeedForward;
use crate::model::fingerprint::Fingerprinting;
use crate::model::llama::Llama;
use crate::model::matrix::Matrix;
use crate::model::norm::RmsNorm;
use crate::model::rope::{Rope, RopeConfig, RopeFactors, RopeScaling};
use crate::model::spec::Biases;
use crate::model::weight::{LayerPart, Weight};

/// Tensors that have come so far. Each is checked against the configuration before memory is taken.
pub(super) struct ModelBuilder {
    config: LlamaConfig,
    names: TensorNames,
    device: Device,
    /// The tensor whose bytes are coming.
    incoming: Option<Incoming>,
    matrices: BTreeMap<Weight, Matrix>,
    vectors: BTreeMap<Weight, Vec<f32>>,
    /// Most bytes of one binding of a shader.
    binding_bytes: u64,
    fingerprint: Fingerprinting,
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
            Block::expect_computes(number, &config.layer(number))?;
        }
        Ok(Self {
            names: TensorNames::new(&config, naming),
            config,
            device,
            incoming: None,
            matrices: BTreeMap::new(),
            vectors: BTreeMap::new(),
            binding_bytes,
            fingerprint: Fingerprinting::default(),
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
        self.fingerprint.take(tensor, (offset, bytes, last));
        if offset == 0 {
            self.incoming = None;
            self.incoming = self.begin(tensor)?;
        }
        let Some(incoming) = &mut self.incoming else {
            return Ok(());
        };
        let mut whole = incoming.push(bytes)?;
        if last {
            let rest = self.incoming.take().map(|it| it.sinks).unwrap_or_default();
            whole.extend(rest.into_iter().map(|(sink, _)| sink));
        }
        whole.into_iter().for_each(|sink| self.end(sink));
        Ok(())
    }

    /// Makes room for a tensor whose bytes are about to come, unless it is passed over.
    fn begin(&mut self, tensor: &TensorInfo) -> Result<Option<Incoming>, Error> {
        let name = crate::quoted::quoted(&tensor.name);
        let Some(weight) = self.names.role(&tensor.name)? else {
            return Ok(None);
        };
        let has_come = self.matrices.contains_key(&weight) || self.vectors.contains_key(&weight);
        let is_beyond =
            matches!(weight, Weight::Layer { layer, .. } if layer >= self.config.layers);
        if has_come || is_beyond {
            self.names.pass_over(&tensor.name);
            return Ok(None);
        }
        let Some(expected) = self.config.shape(weight) else {
            // transformers computes without biases that `config.json` denies.
            let is_folder = self.names.naming() == Naming::HuggingFace;
            if is_folder && matches!(weight, Weight::Layer { part, .. } if part.is_bias()) {
                self.names.pass_over(&tensor.name);
                return Ok(None);
            }
            return Err(self.names.unexpected(&tensor.name).into());
        };
        let format = tensor.format.clone()?;
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
                format,
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
        let sink = |weight, shape| TensorSink::new(weight, format, shape, &self.device);
        let mut sinks = VecDeque::new();
        match weight {
            Weight::Layer { layer, part } if !part.joins().is_empty() => {
                for &part in part.joins() {
                    let weight = Weight::Layer { layer, part };
                    // A joined tensor has the shapes of its parts, one below the other.
                    let shape = self.config.shape(weight).unwrap_or_default();
                    let blocks = shape.iter().product::<usize>() / format.block_elements();
                    let bytes = blocks * format.block_bytes();
                    sinks.push_back((sink(weight, shape)?, Some(bytes)));
                }
            }
            weight => sinks.push_back((sink(weight, expected)?, None)),
        }
        Ok(Some(Incoming { sinks }))
    }

    /// Takes what a safetensors file says of tensors that are stored under another's name.
    pub fn take_aliases(&mut self, metadata: &BTreeMap<String, String>) {
        self.names.take_aliases(metadata);
    }

    /// Takes a tensor whose bytes have all come.
    fn end(&mut self, sink: TensorSink) {
        let weight = sink.weight;
        match sink.finish(&self.device) {
            Read::Matrix(matrix) => {
                self.matrices.insert(weight, matrix);
            }
            Read::Vector(mut elements) => {
                let offset = self.config.architecture.spec().norm_offset;
                if self.names.naming() == Naming::HuggingFace && weight.is_norm() && offset != 0.0 {
                    elements.iter_mut().for_each(|element| *element += offset);
                }
                self.vectors.insert(weight, elements);
            }
        }
    }

    /// The model, if everything it needs has come.
    pub fn finish(mut self) -> Result<Llama, Error> {
        self.names.report();
        self.share();
        self.config.facts.biases = self.biases();
        let factors = self.rope_factors()?;
        let ropes = self.config.ropes();
        let own = |rope: &RopeConfig| {
            let is_models = *rope == self.config.rope;
            Rope::new(
                rope,
                if is_models {
                    &factors
                } else {
                    &RopeFactors::None
                },
            )
        };
        let ropes = ropes.iter().map(own).collect::<Result<_, _>>()?;
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
        let fingerprint = self.fingerprint.finish(&config);
        Ok(Llama {
            embedding,
            blocks,
            norm,
            output,
            config,
            ropes,
            fingerprint,
        })
    }

    /// Divisors of the frequencies: those of a tensor, or of the configuration.
    fn rope_factors(&mut self) -> Result<RopeFactors, Error> {
        let [short, long] = [Weight::ShortRopeFactors, Weight::LongRopeFactors]
            .map(|weight| (weight, self.vectors.remove(&weight)));
        match (short, long) {
            ((_, Some(short)), (_, Some(long))) => {
                return Ok(RopeFactors::ByPosition { short, long });
            }
            ((missing, None), (_, Some(_))) | ((_, Some(_)), (missing, None)) => {
                return Err(self.missing(missing));
            }
            _ => {}
        }
        if let Some(factors) = self.vectors.remove(&Weight::RopeFactors) {
            return Ok(RopeFactors::All(factors));
        }
        let factors = std::mem::take(&mut self.config.facts.rope_factors);
        let is_long = matches!(self.config.rope.scaling, RopeScaling::LongRope { .. });
        if is_long && factors == RopeFactors::None {
            return Err(self.missing(Weight::LongRopeFactors));
        }
        Ok(factors)
    }

    /// Biases that have come. A layer may lack some that others have.
    fn biases(&self) -> Biases {
        use LayerPart as Part;
        let any = |parts: &[Part]| {
            self.vectors.keys().any(|weight| match weight {
                Weight::Layer { part, .. } => parts.contains(part),
                _ => false,
            })
        };
        Biases {
            query_key_value: any(&[Part::QueryBias, Part::KeyBias, Part::ValueBias]),
            output: any(&[Part::OutputBias]),
            feed_forward: any(&[Part::GateBias, Part::UpBias, Part::DownBias]),
        }
    }

    /// Gives roles whose tensor is stored under another's name that one's. Of a tied pair it makes
    /// the embedding.
    fn share(&mut self) {
        let both = [Weight::TokenEmbedding, Weight::Output];
        for (alias, kept) in self.names.shared() {
            if self.config.shape(alias) != self.config.shape(kept) {
                continue;
            }
            if both.contains(&alias) && both.contains(&kept) {
                self.config.tied |= !both.iter().all(|it| self.matrices.contains_key(it));
            } else if let Some(matrix) = self.matrices.get(&kept).cloned() {
                self.matrices.entry(alias).or_insert(matrix);
            } else if let Some(vector) = self.vectors.get(&kept).cloned() {
                self.vectors.entry(alias).or_insert(vector);
            }
        }
        // In a GGUF file nothing says that they are tied.
        let is_tied = self.config.tied && self.names.naming() == Naming::HuggingFace;
        if is_tied && !self.matrices.contains_key(&Weight::TokenEmbedding) {
            let output = self.matrices.remove(&Weight::Output);
            let embedding = output.map(|output| (Weight::TokenEmbedding, output));
            self.matrices.extend(embedding);
        }
    }

    fn block(&mut self, layer: usize) -> Result<Block, Error> {
        use LayerPart as Part;
        let weight = |part| Weight::Layer { layer, part };
        self.join(layer, &[Part::Query, Part::Key, Part::Value]);
        self.join(layer, &[Part::Gate, Part::Up]);
        let spec = self.config.layer(layer);
        let ropes = self.config.ropes();
        let rope = spec
            .rope
            .and_then(|own| ropes.iter().position(|rope| *rope == own));
        Ok(Block {
            attention_norm: self.layer_norm(layer, Part::AttentionNorm)?,
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
                output_bias: self.bias(layer, Part::OutputBias),
                head_dim: self.config.head_dim,
                rope,
                query_factor: Attention::query_factor(&spec, self.config.head_dim),
            },
            attention_post_norm: self.layer_norm(layer, Part::AttentionPostNorm)?,
            feed_forward_norm: self.layer_norm(layer, Part::FeedForwardNorm)?,
            feed_forward: FeedForward {
                gate: self.matrix(weight(Part::Gate))?,
                up: self.matrix(weight(Part::Up))?,
                down: self.matrix(weight(Part::Down))?,
                gate_bias: self.bias(layer, Part::GateBias),
                up_bias: self.bias(layer, Part::UpBias),
                down_bias: self.bias(layer, Part::DownBias),
                activation: spec.activation,
            },
            feed_forward_post_norm: self.layer_norm(layer, Part::FeedForwardPostNorm)?,
            residual_scale: spec.residual_scale,
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
        Ok(Projection {
            matrix: self.matrix(Weight::Layer {
                layer,
                part: matrix,
            })?,
            bias: self.bias(layer, bias),
            norm: match norm {
                Some(norm) => self.layer_norm(layer, norm)?,
                None => None,
            },
        })
    }

    /// A bias, if the model has it.
    fn bias(&mut self, layer: usize, part: LayerPart) -> Option<Tensor<1>> {
        let elements = self.vectors.remove(&Weight::Layer { layer, part })?;
        Some(self.vector(elements))
    }

    /// A norm of a layer, if such a layer has it.
    fn layer_norm(&mut self, layer: usize, part: LayerPart) -> Result<Option<RmsNorm>, Error> {
        let weight = Weight::Layer { layer, part };
        if self.config.requires(weight) {
            self.norm(weight).map(Some)
        } else {
            Ok(None)
        }
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
        let name = self.names.of(weight);
        ModelError::MissingTensor { name }.into()
    }
}

/// A tensor whose bytes are coming, or several that are joined in one.
struct Incoming {
    /// Each with the bytes that it still lacks; `None` for all that come.
    sinks: VecDeque<(TensorSink, Option<usize>)>,
}

impl Incoming {
    /// Takes the next bytes, and returns the tensors whose bytes have all come.
    fn push(&mut self, mut bytes: &[u8]) -> Result<Vec<TensorSink>, WeightsError> {
        let mut whole = Vec::new();
        while let Some((sink, lacking)) = self.sinks.front_mut() {
            let Some(lacking) = lacking else {
                sink.push(bytes)?;
                break;
            };
            let (own, rest) = bytes.split_at(bytes.len().min(*lacking));
            sink.push(own)?;
            *lacking -= own.len();
            bytes = rest;
            if *lacking > 0 {
                break;
            }
            whole.extend(self.sinks.pop_front().map(|(sink, _)| sink));
        }
        Ok(whole)
    }
}
