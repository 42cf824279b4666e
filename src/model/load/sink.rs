//! One tensor's bytes as they arrive, on their way to the device.

use burn::tensor::{Device, Tensor, TensorData};

use crate::formats::planes::PlaneSplitter;
use crate::formats::{BlockFormat, WeightsError};
use crate::kernels::{BlockMatrix, KernelError, MatrixShape, runs_wgsl};
use crate::model::matrix::Matrix;
use crate::model::weight::Weight;

/// A tensor that is being read.
#[derive(Debug)]
pub(super) struct TensorSink {
    pub weight: Weight,
    shape: Vec<usize>,
    destination: Destination,
}

#[derive(Debug)]
enum Destination {
    /// The device at once, in the file's blocks.
    Blocks {
        matrix: Box<BlockMatrix>,
        splitter: PlaneSplitter,
    },
    /// Elements in f32, which go to the device when they are complete.
    Plain {
        format: BlockFormat,
        /// The beginning of a block whose end has not arrived.
        begun: Vec<u8>,
        elements: Vec<f32>,
    },
}

/// A tensor that has been read.
#[allow(
    clippy::large_enum_variant,
    reason = "moved once, and nearly all are matrices"
)]
pub(super) enum Read {
    Matrix(Matrix),
    Vector(Vec<f32>),
}

impl TensorSink {
    /// A sink for a tensor of `shape`, outermost first, that was checked against the model's.
    pub fn new(
        weight: Weight,
        format: BlockFormat,
        shape: Vec<usize>,
        device: &Device,
    ) -> Result<Self, KernelError> {
        let destination = match shape[..] {
            [rows, width] if runs_wgsl(device) && BlockMatrix::takes(width) => {
                let shape = MatrixShape {
                    format,
                    rows,
                    width,
                };
                Destination::Blocks {
                    matrix: Box::new(BlockMatrix::empty(shape, device)?),
                    splitter: PlaneSplitter::new(format),
                }
            }
            _ => Destination::Plain {
                format,
                begun: Vec::new(),
                elements: Vec::new(),
            },
        };
        Ok(Self {
            weight,
            shape,
            destination,
        })
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), WeightsError> {
        match &mut self.destination {
            Destination::Blocks { matrix, splitter } => matrix.write(splitter.push(bytes)),
            Destination::Plain {
                format,
                begun,
                elements,
            } => {
                begun.extend_from_slice(bytes);
                let whole = begun.len() - begun.len() % format.block_bytes();
                elements.extend(format.dequantise(&begun[..whole])?);
                begun.drain(..whole);
            }
        }
        Ok(())
    }

    /// The tensor, all of whose bytes have come.
    pub fn finish(self, device: &Device) -> Read {
        match (self.destination, &self.shape[..]) {
            (
                Destination::Blocks {
                    mut matrix,
                    splitter,
                },
                _,
            ) => {
                matrix.write(splitter.finish());
                Read::Matrix(Matrix::Blocks(*matrix))
            }
            (Destination::Plain { elements, .. }, &[rows, width]) => {
                let data = TensorData::new(elements, [rows, width]);
                Read::Matrix(Matrix::Plain(Tensor::from_data(data, device)))
            }
            (Destination::Plain { elements, .. }, _) => Read::Vector(elements),
        }
    }
}
