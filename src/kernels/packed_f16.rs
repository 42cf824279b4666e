//! f16 for adapters without `shader-f16`: two in a u32, `shaders/pack_f16.wgsl` and `shaders/unpack_f16.wgsl`.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Dispatch, backend_extension};
use burn::tensor::{DType, Int, Tensor};
use burn_wgpu::{CubeBackend, CubeTensor, KernelSource, into_contiguous};

use super::error::{KernelError, expect_f32, expect_wgpu};
use super::launch::{empty, grid, launch, wgsl_kernel};

const PACK: &str = "pack_f16";
const UNPACK: &str = "unpack_f16";

/// Invocations of a workgroup in both shaders.
const LANES: u32 = 64;

/// The operations as burn's extension point takes them; call [`pack_f16`] and [`unpack_f16`] instead.
#[backend_extension(Cube)]
pub trait PackedF16Extension: burn::backend::Backend {
    /// f32 `[.., d]` gives u32 `[.., d / 2]`.
    fn pack_f16(values: FloatTensor<Self>) -> IntTensor<Self>;
    /// u32 `[.., d / 2]` gives f32 `[.., d]`.
    fn unpack_f16(words: IntTensor<Self>) -> FloatTensor<Self>;
}

/// Rounds to f16, to the nearest and to even between two, and packs neighbours of the last dimension.
///
/// # Shapes
///
/// - values: `[.., d]`, f32, d even
/// - output: `[.., d / 2]`, u32, the even-numbered value in the low half
///
/// # Errors
///
/// [`KernelError`] for an odd d, another number type, or a device that runs no WGSL.
pub fn pack_f16<const D: usize>(values: Tensor<D>) -> Result<Tensor<D, Int>, KernelError> {
    let shape = values.dims();
    if D == 0 || !shape[D - 1].is_multiple_of(2) {
        return Err(KernelError::Shape {
            kernel: PACK,
            argument: "values",
            shape: shape.to_vec(),
            expected: "an even last dimension".to_owned(),
        });
    }
    expect_f32(PACK, "values", &values)?;
    expect_wgpu(PACK, &values.device())?;
    Ok(Tensor::from_dispatch(
        <Dispatch as PackedF16Extension>::pack_f16(values.into_dispatch()),
    ))
}

/// The inverse of [`pack_f16`].
///
/// # Shapes
///
/// - words: `[.., d / 2]`, u32
/// - output: `[.., d]`, f32
///
/// # Errors
///
/// [`KernelError`] for another number type or a device that runs no WGSL.
pub fn unpack_f16<const D: usize>(words: Tensor<D, Int>) -> Result<Tensor<D>, KernelError> {
    if words.dtype() != DType::U32 {
        return Err(KernelError::Type {
            kernel: UNPACK,
            argument: "words",
            dtype: words.dtype().name().to_owned(),
            expected: "u32",
        });
    }
    expect_wgpu(UNPACK, &words.device())?;
    Ok(Tensor::from_dispatch(
        <Dispatch as PackedF16Extension>::unpack_f16(words.into_dispatch()),
    ))
}

wgsl_kernel!(Pack, "pack_f16.wgsl");

wgsl_kernel!(Unpack, "unpack_f16.wgsl");

impl PackedF16Extension for CubeBackend {
    fn pack_f16(values: FloatTensor<Self>) -> IntTensor<Self> {
        let values = into_contiguous(values);
        let mut shape = values.meta.shape().clone();
        let last = shape.num_dims() - 1;
        shape[last] /= 2;
        let words = empty(&values, shape, DType::U32);
        run(Pack, &values, &words, words.meta.shape().num_elements());
        words
    }

    fn unpack_f16(words: IntTensor<Self>) -> FloatTensor<Self> {
        let words = into_contiguous(words);
        let mut shape = words.meta.shape().clone();
        let last = shape.num_dims() - 1;
        shape[last] *= 2;
        let values = empty(&words, shape, DType::F32);
        run(Unpack, &words, &values, words.meta.shape().num_elements());
        values
    }
}

fn run(kernel: impl KernelSource, input: &CubeTensor, output: &CubeTensor, words: usize) {
    if words == 0 {
        return;
    }
    let words = words as u32;
    let (count, line) = grid(words.div_ceil(LANES));
    launch(kernel, count, &[input, output], &[words, line]);
}
