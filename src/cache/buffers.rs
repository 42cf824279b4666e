//! Tensors in buffers of their own, and their contents read back.

use std::ops::Range;

use burn::tensor::kind::Basic;
use burn::tensor::{Device, Int, Tensor};

use super::error::CacheError;

/// Makes tensors from `input` in buffers of exactly their size.
///
/// Other buffers come from a pool, where a small tensor may get a large buffer that happens to be
/// free. Then more is allocated than is counted.
#[expect(
    clippy::expect_used,
    reason = "burn calls the function once before it returns"
)]
pub(super) fn unpooled<I: Send, O: Send>(
    device: &Device,
    input: I,
    make: impl FnOnce(I) -> O + Send,
) -> O {
    let mut made = None;
    let mut rest = Some((input, make));
    allocate_unpooled(device, &mut || {
        made = rest.take().map(|(input, make)| make(input));
    });
    made.expect("tensors that were made")
}

/// Runs `make`. Not generic, because the module would have a copy of burn's part per use.
fn allocate_unpooled(device: &Device, make: &mut (dyn FnMut() + Send)) {
    device.memory_persistent_allocations(make, |make| make());
}

/// A copy of the entries `range` of dimension `dim`.
///
/// A narrowed tensor may be a view that keeps the whole alive. Arithmetic on it may work in place
/// and keep it too. A selection by index never does.
pub(super) fn copied_part<const D: usize, K: Basic>(
    tensor: Tensor<D, K>,
    dim: usize,
    range: Range<usize>,
) -> Tensor<D, K> {
    let index = Tensor::arange(range.start as i64..range.end as i64, &tensor.device());
    tensor.select(dim, index)
}

/// The elements of `tensor`. Waits for the device.
pub(super) async fn read_ints(tensor: &Tensor<2, Int>) -> Result<Vec<i32>, CacheError> {
    let data = tensor.to_data_async().await.map_err(CacheError::unread)?;
    data.try_into_vec_as::<i32>().map_err(CacheError::unread)
}

/// The elements of `tensor`. Waits for the device.
pub(super) async fn read_floats<const D: usize>(
    tensor: &Tensor<D>,
) -> Result<Vec<f32>, CacheError> {
    let data = tensor.to_data_async().await.map_err(CacheError::unread)?;
    data.try_into_vec_as::<f32>().map_err(CacheError::unread)
}
