//! Rows of keys and values as kernels see them: a storage type's format for shaders.
//! `shaders/pack_rows.wgsl` and `shaders/unpack_rows.wgsl` pack and unpack rows.

use std::fmt;
use std::hash::{Hash, Hasher};

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Dispatch, backend_extension};
use burn::cubecl::prelude::KernelId;
use burn::tensor::{DType, Int, Tensor};
use burn_wgpu::{CubeBackend, CubeTensor, KernelSource, SourceTemplate, into_contiguous};
use minijinja::context;

use super::error::{KernelError, expect_f32, expect_wgpu};
use super::launch::{empty, grid, launch};
use super::template::write_out;
use crate::shaders::shader;

const STORED: &str = "stored_rows";
const PACK: &str = "pack_rows";
const UNPACK: &str = "unpack_rows";

/// Invocations per workgroup in both shaders.
const LANES: u32 = 64;

/// A storage type as kernels see it. Formats of one name are equal.
#[derive(Clone, Copy)]
pub struct RowFormat {
    /// The type's name.
    pub name: &'static str,
    /// Its file in `shaders/rows`: macros that read and write rows.
    pub wgsl: &'static str,
    /// Words of 32 bits per row of so many elements; `None` if the type has no such rows.
    pub words: fn(usize) -> Option<usize>,
    /// Elements of such a row that are written together, since they share a word or a scale. Even,
    /// and a divisor of 4 or a multiple of it.
    pub unit: fn(usize) -> usize,
}

impl PartialEq for RowFormat {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for RowFormat {}

impl Hash for RowFormat {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for RowFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

/// Rows of keys or values in a cache's memory, `[kv_heads, capacity]` of them. A clone shares the
/// memory.
#[derive(Debug, Clone)]
pub struct StoredRows {
    /// `[kv_heads, capacity, words per row]`, u32
    pub(super) words: Tensor<3, Int>,
    /// Elements per row.
    pub(super) dim: usize,
    pub(super) format: RowFormat,
}

impl StoredRows {
    /// Rows of `dim` elements in `format`.
    ///
    /// # Shapes
    ///
    /// - words: `[kv_heads, capacity, words per row]`, u32
    ///
    /// # Errors
    ///
    /// [`KernelError::Shape`] if rows of `dim` elements don't have so many words.
    pub fn new(words: Tensor<3, Int>, dim: usize, format: RowFormat) -> Result<Self, KernelError> {
        expect_words(STORED, &words, dim, format)?;
        Ok(Self { words, dim, format })
    }

    /// Rows of f32, whose tensor already is what the format stores; nothing is copied.
    ///
    /// # Shapes
    ///
    /// - rows: `[kv_heads, capacity, dim]`, f32
    ///
    /// # Errors
    ///
    /// [`KernelError`] for another number type, a device that runs no WGSL, or a format with other
    /// rows.
    pub fn of_f32(rows: Tensor<3>, format: RowFormat) -> Result<Self, KernelError> {
        expect_f32(STORED, "rows", &rows)?;
        expect_wgpu(STORED, &rows.device())?;
        let [_, _, dim] = rows.dims();
        let words = <Dispatch as RowExtension>::as_words(rows.into_dispatch());
        Self::new(Tensor::from_dispatch(words), dim, format)
    }

    /// `[kv_heads, capacity, dim]`
    pub(super) fn dims(&self) -> [usize; 3] {
        let [heads, capacity, _] = self.words.dims();
        [heads, capacity, self.dim]
    }
}

/// Rounds and packs rows of f32. The inverse of [`unpack_rows`], but for the rounding.
///
/// # Shapes
///
/// - rows: `[.., dim]`, f32
/// - output: `[.., words per row]`, u32
///
/// # Errors
///
/// [`KernelError`] for a `dim` that `format` has no rows of, another number type, or a device that
/// runs no WGSL.
pub fn pack_rows<const D: usize>(
    rows: Tensor<D>,
    format: RowFormat,
) -> Result<Tensor<D, Int>, KernelError> {
    let shape = rows.dims();
    let dim = shape.last().copied().unwrap_or(0);
    let unit = (format.unit)(dim);
    let whole = unit > 0 && unit.is_multiple_of(2) && dim.is_multiple_of(unit);
    let words = (format.words)(dim).filter(|_| whole);
    let Some(words) = words else {
        return Err(KernelError::Shape {
            kernel: PACK,
            argument: "rows",
            shape: shape.to_vec(),
            expected: format!("a last dimension that {} has rows of", format.name),
        });
    };
    expect_f32(PACK, "rows", &rows)?;
    expect_wgpu(PACK, &rows.device())?;
    let size = RowSize { format, dim, words };
    let packed = <Dispatch as RowExtension>::pack_rows(rows.into_dispatch(), size);
    Ok(Tensor::from_dispatch(packed))
}

/// The elements of packed rows.
///
/// # Shapes
///
/// - words: `[.., words per row]`, u32
/// - output: `[.., dim]`, f32
///
/// # Errors
///
/// [`KernelError`] if rows of `dim` elements have other words, for another number type, or a device
/// that runs no WGSL.
pub fn unpack_rows<const D: usize>(
    words: Tensor<D, Int>,
    dim: usize,
    format: RowFormat,
) -> Result<Tensor<D>, KernelError> {
    let size = expect_words(UNPACK, &words, dim, format)?;
    expect_wgpu(UNPACK, &words.device())?;
    let rows = <Dispatch as RowExtension>::unpack_rows(words.into_dispatch(), size);
    Ok(Tensor::from_dispatch(rows))
}

/// Refuses words that are no rows of `dim` elements, an even number.
fn expect_words<const D: usize>(
    kernel: &'static str,
    words: &Tensor<D, Int>,
    dim: usize,
    format: RowFormat,
) -> Result<RowSize, KernelError> {
    if words.dtype() != DType::U32 {
        return Err(KernelError::Type {
            kernel,
            argument: "words",
            dtype: words.dtype().name().to_owned(),
            expected: "u32",
        });
    }
    let shape = words.dims();
    let found = shape.last().copied().unwrap_or(0);
    match (format.words)(dim) {
        Some(words) if words == found && dim.is_multiple_of(2) => {
            Ok(RowSize { format, dim, words })
        }
        _ => Err(KernelError::Shape {
            kernel,
            argument: "words",
            shape: shape.to_vec(),
            expected: format!("rows of {dim} elements in {}", format.name),
        }),
    }
}

/// Rows of one size in one format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RowSize {
    format: RowFormat,
    /// Elements per row.
    dim: usize,
    /// Words per row.
    words: usize,
}

/// The operations as burn's extension point takes them; call [`pack_rows`], [`unpack_rows`] and
/// [`StoredRows::of_f32`] instead.
#[backend_extension(Cube)]
pub trait RowExtension: burn::backend::Backend {
    /// f32 `[.., dim]` gives u32 `[.., words]`.
    fn pack_rows(rows: FloatTensor<Self>, size: RowSize) -> IntTensor<Self>;
    /// u32 `[.., words]` gives f32 `[.., dim]`.
    fn unpack_rows(words: IntTensor<Self>, size: RowSize) -> FloatTensor<Self>;
    /// The same memory as u32.
    fn as_words(rows: FloatTensor<Self>) -> IntTensor<Self>;
}

/// One of the two shaders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct RowKernel {
    name: &'static str,
    size: RowSize,
}

impl KernelSource for RowKernel {
    fn source(&self) -> SourceTemplate {
        let text = if self.name == PACK {
            shader!("pack_rows.wgsl")
        } else {
            shader!("unpack_rows.wgsl")
        };
        let RowSize { format, dim, .. } = self.size;
        SourceTemplate::new(write_out(
            &[format.wgsl, text],
            &context! { dim, lanes => LANES, unit => (format.unit)(dim) },
        ))
    }

    fn id(&self) -> KernelId {
        KernelId::new::<Self>().info(*self)
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

impl RowExtension for CubeBackend {
    fn pack_rows(rows: FloatTensor<Self>, size: RowSize) -> IntTensor<Self> {
        let rows = into_contiguous(rows);
        let elements = rows.meta.shape().num_elements();
        let words = resized(&rows, size.words, DType::U32);
        let units = elements / (size.format.unit)(size.dim);
        run(RowKernel { name: PACK, size }, &rows, &words, units);
        words
    }

    fn unpack_rows(words: IntTensor<Self>, size: RowSize) -> FloatTensor<Self> {
        let words = into_contiguous(words);
        let rows = resized(&words, size.dim, DType::F32);
        let pairs = rows.meta.shape().num_elements() / 2;
        run(RowKernel { name: UNPACK, size }, &words, &rows, pairs);
        rows
    }

    fn as_words(rows: FloatTensor<Self>) -> IntTensor<Self> {
        CubeTensor {
            dtype: DType::U32,
            ..into_contiguous(rows)
        }
    }
}

/// Memory for a tensor like `tensor` with another last dimension.
fn resized(tensor: &CubeTensor, last: usize, dtype: DType) -> CubeTensor {
    let mut shape = tensor.meta.shape().clone();
    let axis = shape.num_dims() - 1;
    shape[axis] = last;
    empty(tensor, shape, dtype)
}

/// Launches `kernel` with `count` invocations.
fn run(kernel: RowKernel, input: &CubeTensor, output: &CubeTensor, count: usize) {
    if count == 0 {
        return;
    }
    let count = count as u32;
    let (workgroups, line) = grid(count.div_ceil(LANES));
    launch(kernel, workgroups, &[input, output], &[count, line]);
}
