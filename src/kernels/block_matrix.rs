//! A matrix that stays quantised on the GPU: its planes, its product and its rows, by
//! `shaders/product/matrix_*.wgsl`.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Dispatch, backend_extension};
use burn::cubecl::bytes::Bytes;
use burn::module::Module;
use burn::tensor::{DType, Device, Int, Shape, Tensor};
use burn_wgpu::{CubeBackend, CubeTensor, into_contiguous};

use super::block_source::{BlockKernel, BlockOperation, GROUP, has_scales};
use super::buffer::{BoundBuffer, int_buffer_of};
use super::cpu::{self, Kernels, Work};
use super::error::{KernelError, expect_f32, expect_wgpu};
use super::launch::{empty, grid, launch};
use crate::formats::BlockFormat;
use crate::formats::planes::{PlanePiece, fills_units, plane_words};

const PRODUCT: &str = "matrix_product";
const ROWS: &str = "matrix_rows";

/// Format and size of a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatrixShape {
    /// Storage of its elements.
    pub format: BlockFormat,
    /// Its rows.
    pub rows: usize,
    /// Elements per row, a multiple of 32.
    pub width: usize,
}

/// The operations as burn's extension point takes them; call [`BlockMatrix`]'s methods instead.
#[backend_extension(Cube)]
pub trait BlockMatrixExtension: burn::backend::Backend {
    /// `input` `[tokens, width]` gives `[tokens, rows]`.
    fn block_product(
        quants: IntTensor<Self>,
        scales: IntTensor<Self>,
        input: FloatTensor<Self>,
        matrix: MatrixShape,
        first_row: usize,
    ) -> FloatTensor<Self>;
    /// `rows` `[count]`, u32, gives `[count, width]`.
    fn block_rows(
        quants: IntTensor<Self>,
        scales: IntTensor<Self>,
        rows: IntTensor<Self>,
        matrix: MatrixShape,
        first_row: usize,
    ) -> FloatTensor<Self>;
    /// Writes into the memory of `plane`, u32, from its word `first` on, and returns it.
    fn write_words(plane: IntTensor<Self>, first: usize, words: Vec<u32>) -> IntTensor<Self>;
}

/// A matrix `[rows, width]` in its file's blocks, on a WebGPU device. Shaders dequantise what they
/// need.
#[derive(Module, Debug)]
pub struct BlockMatrix {
    quants: Tensor<1, Int>,
    /// A single unused word where the format has no second plane.
    scales: Tensor<1, Int>,
    #[module(skip)]
    format: BlockFormat,
    /// Its first row among those of all matrices in its planes.
    #[module(skip)]
    first_row: usize,
    #[module(skip)]
    rows: usize,
    #[module(skip)]
    width: usize,
}

impl BlockMatrix {
    /// True if there are kernels for rows of `width` elements.
    pub fn takes(width: usize) -> bool {
        width.is_multiple_of(GROUP)
    }

    /// Bytes of its larger plane, which has to fit into one binding.
    pub fn largest_plane(shape: MatrixShape) -> u64 {
        let [quants, scales] = words(shape);
        4 * quants.max(scales) as u64
    }

    /// Memory for a matrix, to be filled by [`write`](Self::write).
    ///
    /// # Errors
    ///
    /// [`KernelError`] for a width that is no multiple of 32 or a device that runs no WGSL.
    pub fn empty(shape: MatrixShape, device: &Device) -> Result<Self, KernelError> {
        expect_wgpu(PRODUCT, device)?;
        if !Self::takes(shape.width) {
            return Err(KernelError::Shape {
                kernel: PRODUCT,
                argument: "matrix",
                shape: vec![shape.rows, shape.width],
                expected: format!("rows of a multiple of {GROUP} elements"),
            });
        }
        let plane = |words: usize| Tensor::empty([words.max(1)], (device, DType::U32));
        let [quants, scales] = words(shape);
        Ok(Self {
            quants: plane(quants),
            scales: plane(scales),
            format: shape.format,
            first_row: 0,
            rows: shape.rows,
            width: shape.width,
        })
    }

    /// Joins `matrices` into one pair of planes, one below the other, for one kernel to go over all
    /// of them. They stay apart if formats or widths differ, blocks don't fill whole words, or a
    /// plane would exceed `binding_bytes`.
    #[must_use]
    pub fn joined(matrices: Vec<Self>, binding_bytes: u64) -> Vec<Self> {
        let Some(first) = matrices.first() else {
            return matrices;
        };
        let rows = matrices.iter().map(|matrix| matrix.rows).sum();
        let whole = MatrixShape {
            rows,
            ..first.shape()
        };
        let alike = matrices.iter().all(|matrix| {
            matrix.first_row == 0
                && (matrix.format, matrix.width) == (whole.format, whole.width)
                && fills_units(matrix.format, matrix.rows * matrix.width)
        });
        if !alike || Self::largest_plane(whole) > binding_bytes {
            return matrices;
        }
        let planes = |plane: fn(&Self) -> &Tensor<1, Int>| -> Vec<_> {
            matrices
                .iter()
                .map(|matrix| plane(matrix).clone())
                .collect()
        };
        let quants = Tensor::cat(planes(|matrix| &matrix.quants), 0);
        let scales = if has_scales(whole.format) {
            Tensor::cat(planes(|matrix| &matrix.scales), 0)
        } else {
            first.scales.clone()
        };
        let mut first_row = 0;
        let place = |matrix: Self| {
            let placed = Self {
                quants: quants.clone(),
                scales: scales.clone(),
                first_row,
                ..matrix
            };
            first_row += placed.rows;
            placed
        };
        matrices.into_iter().map(place).collect()
    }

    /// True if it was [joined](Self::joined) to `other` and comes right after it.
    pub fn follows(&self, other: &Self) -> bool {
        self.first_row > 0 && self.first_row == other.first_row + other.rows
    }

    /// Buffers of its planes: `quants` and, if the format has one, `scales`.
    ///
    /// # Errors
    ///
    /// [`KernelError::Device`] where the device does not answer.
    pub fn planes(&self) -> Result<(BoundBuffer, Option<BoundBuffer>), KernelError> {
        let scales = has_scales(self.format).then(|| int_buffer_of(&self.scales));
        Ok((int_buffer_of(&self.quants)?, scales.transpose()?))
    }

    /// Writes a piece of a [`PlaneSplitter`](crate::formats::planes::PlaneSplitter). Words beyond
    /// the matrix are ignored.
    pub fn write(&mut self, piece: PlanePiece) {
        write(&mut self.quants, piece.first_quant, piece.quants);
        write(&mut self.scales, piece.first_scale, piece.scales);
    }

    /// Its format and size.
    pub fn shape(&self) -> MatrixShape {
        MatrixShape {
            format: self.format,
            rows: self.rows,
            width: self.width,
        }
    }

    /// The device it is on.
    pub fn device(&self) -> Device {
        self.quants.device()
    }

    /// Bytes on the device.
    pub fn bytes(&self) -> u64 {
        let [quants, scales] = words(self.shape());
        4 * (quants.max(1) + scales.max(1)) as u64
    }

    /// `input · selfᵀ`.
    ///
    /// # Shapes
    ///
    /// - input: `[tokens, width]`, f32
    /// - output: `[tokens, rows]`, f32
    ///
    /// # Errors
    ///
    /// [`KernelError`] for another shape, number type or kind of device.
    pub fn product(&self, input: Tensor<2>) -> Result<Tensor<2>, KernelError> {
        let [tokens, width] = input.dims();
        if width != self.width {
            return Err(KernelError::Shape {
                kernel: PRODUCT,
                argument: "input",
                shape: vec![tokens, width],
                expected: format!("[tokens, {}]", self.width),
            });
        }
        expect_f32(PRODUCT, "input", &input)?;
        expect_wgpu(PRODUCT, &input.device())?;
        if tokens == 0 {
            return Ok(Tensor::zeros([0, self.rows], &input.device()));
        }
        Ok(Tensor::from_dispatch(
            <Dispatch as BlockMatrixExtension>::block_product(
                self.quants.clone().into_dispatch(),
                self.scales.clone().into_dispatch(),
                input.into_dispatch(),
                self.shape(),
                self.first_row,
            ),
        ))
    }

    /// Some of its rows in f32. A number beyond the last row gives the last.
    ///
    /// # Shapes
    ///
    /// - rows: `[count]`, u32
    /// - output: `[count, width]`, f32
    ///
    /// # Errors
    ///
    /// [`KernelError`] for another number type or kind of device.
    pub fn rows(&self, rows: Tensor<1, Int>) -> Result<Tensor<2>, KernelError> {
        if rows.dtype() != DType::U32 {
            return Err(KernelError::Type {
                kernel: ROWS,
                argument: "rows",
                dtype: rows.dtype().name().to_owned(),
                expected: "u32",
            });
        }
        expect_wgpu(ROWS, &rows.device())?;
        if rows.dims() == [0] {
            return Ok(Tensor::zeros([0, self.width], &rows.device()));
        }
        Ok(Tensor::from_dispatch(
            <Dispatch as BlockMatrixExtension>::block_rows(
                self.quants.clone().into_dispatch(),
                self.scales.clone().into_dispatch(),
                rows.into_dispatch(),
                self.shape(),
                self.first_row,
            ),
        ))
    }
}

fn words(shape: MatrixShape) -> [usize; 2] {
    plane_words(shape.format, shape.rows * shape.width)
}

fn write(plane: &mut Tensor<1, Int>, first: usize, mut words: Vec<u32>) {
    let [length] = plane.dims();
    words.truncate(length.saturating_sub(first));
    if !words.is_empty() {
        *plane = Tensor::from_dispatch(<Dispatch as BlockMatrixExtension>::write_words(
            plane.clone().into_dispatch(),
            first,
            words,
        ));
    }
}

impl BlockMatrixExtension for CubeBackend {
    fn block_product(
        quants: IntTensor<Self>,
        scales: IntTensor<Self>,
        input: FloatTensor<Self>,
        matrix: MatrixShape,
        first_row: usize,
    ) -> FloatTensor<Self> {
        let input = into_contiguous(input);
        let tokens = input.meta.shape()[0];
        let output = empty(&input, Shape::new([tokens, matrix.rows]), DType::F32);
        let (rows, groups) = (matrix.rows as u32, (matrix.width / GROUP) as u32);
        let first = first_row as u32 * groups;
        let tensors = &[&input, &output];
        if tokens == 1 {
            const ROWS: u32 = 32;
            let (count, line) = grid(rows.div_ceil(ROWS));
            let kernel = kernel(BlockOperation::Vector, matrix);
            launch(
                kernel,
                count,
                &bound(matrix, &quants, &scales, tensors),
                &[rows, groups, line, first],
            );
            return output;
        }
        let work = Work::Product {
            tokens,
            rows: matrix.rows,
            width: matrix.width,
        };
        let floats = || dequantised(matrix, first_row, &quants, &scales, None);
        match cpu::kernels_for(&input, work) {
            Kernels::Gpu => {
                const ROWS: u32 = 64;
                const TOKENS: u32 = 32;
                let tokens = tokens as u32;
                let row_tiles = rows.div_ceil(ROWS);
                let (count, line) = grid(row_tiles * tokens.div_ceil(TOKENS));
                let kernel = kernel(BlockOperation::Product, matrix);
                launch(
                    kernel,
                    count,
                    &bound(matrix, &quants, &scales, tensors),
                    &[rows, groups, tokens, row_tiles, line, first],
                );
            }
            Kernels::Cpu => cpu::float_product(&floats(), &input, &output),
            Kernels::Quads => cpu::quad_product(&floats(), &input, &output),
        }
        output
    }

    fn block_rows(
        quants: IntTensor<Self>,
        scales: IntTensor<Self>,
        rows: IntTensor<Self>,
        matrix: MatrixShape,
        first_row: usize,
    ) -> FloatTensor<Self> {
        let rows = into_contiguous(rows);
        dequantised(matrix, first_row, &quants, &scales, Some(&rows))
    }

    fn write_words(plane: IntTensor<Self>, first: usize, words: Vec<u32>) -> IntTensor<Self> {
        let length = plane.meta.shape().num_elements();
        let after = length.saturating_sub(first + words.len());
        let part = plane
            .handle
            .clone()
            .offset_start(4 * first as u64)
            .offset_end(4 * after as u64);
        plane.client.write(&part, Bytes::from_elems(words));
        plane
    }
}

/// Some rows of a matrix in f32, or all of them.
fn dequantised(
    matrix: MatrixShape,
    first_row: usize,
    quants: &CubeTensor,
    scales: &CubeTensor,
    rows: Option<&CubeTensor>,
) -> CubeTensor {
    const LANES: u32 = 64;
    let (operation, count) = match rows {
        Some(rows) => (BlockOperation::Rows, rows.meta.shape()[0]),
        None => (BlockOperation::AllRows, matrix.rows),
    };
    let output = empty(quants, Shape::new([count, matrix.width]), DType::F32);
    let tensors: Vec<&CubeTensor> = rows.into_iter().chain([&output]).collect();
    let (count, groups) = (count as u32, (matrix.width / GROUP) as u32);
    let (workgroups, line) = grid((count * groups).div_ceil(LANES));
    launch(
        kernel(operation, matrix),
        workgroups,
        &bound(matrix, quants, scales, &tensors),
        &[
            matrix.rows as u32,
            groups,
            count,
            line,
            first_row as u32 * groups,
        ],
    );
    output
}

fn kernel(operation: BlockOperation, matrix: MatrixShape) -> BlockKernel {
    BlockKernel {
        operation,
        format: matrix.format,
    }
}

/// Bound tensors in order: the format's planes, then the operation's own.
fn bound<'a>(
    matrix: MatrixShape,
    quants: &'a CubeTensor,
    scales: &'a CubeTensor,
    others: &[&'a CubeTensor],
) -> Vec<&'a CubeTensor> {
    let mut bound = vec![quants];
    if has_scales(matrix.format) {
        bound.push(scales);
    }
    bound.extend(others);
    bound
}
