//! How one layer's keys, or its values, lie in memory. Nothing outside this file knows the element type.

use burn::module::Module;
use burn::tensor::kind::Basic;
use burn::tensor::ops::IndexingUpdateOp;
use burn::tensor::{DType, Device, FloatDType, Int, Tensor, TensorData};

use super::config::CacheType;
use super::error::{CacheError, ConfigError};
use super::part::part;
use super::retained::unread;
use crate::kernels::{
    BoundBuffer, CacheRows, KernelError, buffer_of, int_buffer_of, pack_f16, unpack_f16,
};

/// Rows of `head_dim` elements, `[kv_heads, capacity, head_dim]`, in the cache's type.
///
/// Methods that write take the rows by value: burn writes in place only where nobody else holds the tensor.
#[derive(Module, Debug)]
pub(super) enum Rows {
    /// The type is one that the device computes with.
    Plain(Tensor<3>),
    /// f16 where the device has none: two neighbours in each u32, `[kv_heads, capacity, head_dim / 2]`.
    Packed(Tensor<3, Int>),
}

/// Checks whether `device` can hold rows of that type, as they are or packed.
pub(super) fn check_storable(
    cache_type: CacheType,
    head_dim: usize,
    device: &Device,
) -> Result<(), ConfigError> {
    if device.supports_dtype(cache_type.dtype()) {
        return Ok(());
    }
    if !head_dim.is_multiple_of(2) {
        return Err(ConfigError::new(
            "head_dim",
            head_dim,
            "even for an f16 cache on this device, which has no 16-bit floats and must pack two",
        ));
    }
    pack_f16(Tensor::<1>::zeros([2], device))
        .map(drop)
        .map_err(|error| ConfigError::new("cache_type", "f16", format!("f32 here: {error}")))
}

impl Rows {
    /// Empty rows. `device` has passed [`check_storable`].
    pub fn zeros(shape: [usize; 3], cache_type: CacheType, device: &Device) -> Self {
        let [heads, capacity, dim] = shape;
        let dtype = cache_type.dtype();
        if device.supports_dtype(dtype) {
            Self::Plain(Tensor::zeros(shape, (device, dtype)))
        } else {
            Self::Packed(Tensor::zeros(
                [heads, capacity, dim / 2],
                (device, DType::U32),
            ))
        }
    }

    /// Rows from their [`bytes`](Self::bytes). `device` has passed [`check_storable`].
    pub fn from_bytes(
        bytes: Vec<u8>,
        shape: [usize; 3],
        cache_type: CacheType,
        device: &Device,
    ) -> Self {
        let [heads, capacity, dim] = shape;
        let dtype = cache_type.dtype();
        if device.supports_dtype(dtype) {
            let data = TensorData::from_bytes_vec(bytes, shape, dtype);
            Self::Plain(Tensor::from_data(data, (device, dtype)))
        } else {
            // The even-numbered of two neighbours is in the low half, so that packed rows have the bytes of plain ones.
            let shape = [heads, capacity, dim / 2];
            let data = TensorData::from_bytes_vec(bytes, shape, DType::U32);
            Self::Packed(Tensor::from_data(data, (device, DType::U32)))
        }
    }

    /// The elements' bytes, the same for plain and packed rows.
    pub async fn bytes(&self) -> Result<TensorData, CacheError> {
        let data = match self {
            Self::Plain(rows) => rows.to_data_async().await,
            Self::Packed(rows) => rows.to_data_async().await,
        };
        data.map_err(unread)
    }

    pub fn device(&self) -> Device {
        match self {
            Self::Plain(rows) => rows.device(),
            Self::Packed(rows) => rows.device(),
        }
    }

    /// Shape and type as allocated.
    pub fn layout(&self) -> ([usize; 3], DType) {
        match self {
            Self::Plain(rows) => (rows.dims(), rows.dtype()),
            Self::Packed(rows) => (rows.dims(), rows.dtype()),
        }
    }

    /// Whether a write needs no copy.
    pub fn is_unshared(&self) -> bool {
        match self {
            Self::Plain(rows) => rows.can_mut(),
            Self::Packed(rows) => rows.can_mut(),
        }
    }

    /// The same in memory of its own.
    pub fn copied(self) -> Self {
        let capacity = self.capacity();
        match self {
            Self::Plain(rows) => Self::Plain(part(rows, 1, 0..capacity)),
            Self::Packed(rows) => Self::Packed(part(rows, 1, 0..capacity)),
        }
    }

    /// All of it as it is stored, for kernels that read it so.
    pub fn stored(&self) -> CacheRows {
        match self {
            Self::Plain(rows) => CacheRows::Plain(rows.clone()),
            Self::Packed(rows) => CacheRows::Packed(rows.clone()),
        }
    }

    /// Its memory, for kernels that write into it: f16, packed or not, has the same bytes.
    pub fn buffer(&self) -> Result<BoundBuffer, KernelError> {
        match self {
            Self::Plain(rows) => buffer_of(rows),
            Self::Packed(rows) => int_buffer_of(rows),
        }
    }

    pub fn capacity(&self) -> usize {
        let ([_, capacity, _], _) = self.layout();
        capacity
    }

    pub fn size(&self) -> u64 {
        let (shape, dtype) = self.layout();
        shape.iter().product::<usize>() as u64 * dtype.size() as u64
    }

    /// The first `slots` in f32, `[kv_heads, slots, head_dim]`. In an f16 cache this is a copy that lives as long as one
    /// layer's attention.
    pub fn read(&self, slots: usize) -> Tensor<3> {
        match self {
            Self::Plain(rows) => first(rows, slots).cast(FloatDType::F32),
            #[expect(
                clippy::expect_used,
                reason = "packed rows are u32, and only where the kernels run"
            )]
            Self::Packed(rows) => unpack_f16(first(rows, slots)).expect("packed rows unpack"),
        }
    }

    /// Puts one new row a head, `[kv_heads, head_dim]`, where `index` says, counted over all heads' slots.
    pub fn put(self, index: Tensor<1, Int>, new: Tensor<2>) -> Self {
        match self {
            Self::Plain(rows) => {
                let new = new.cast(rows.dtype());
                Self::Plain(put(rows, index, new))
            }
            Self::Packed(rows) => Self::Packed(put(rows, index, packed(new))),
        }
    }

    /// Puts `[kv_heads, count, head_dim]` into the slots from `start` on.
    pub fn put_range(self, start: usize, new: Tensor<3>) -> Self {
        match self {
            Self::Plain(rows) => {
                let new = new.cast(rows.dtype());
                Self::Plain(put_range(rows, start, new))
            }
            Self::Packed(rows) => Self::Packed(put_range(rows, start, packed(new))),
        }
    }

    /// The rows of the slots `index`, `[kv_heads, capacity]` counted over all heads' slots, as the new rows.
    pub fn gather(self, index: Tensor<2, Int>) -> Self {
        match self {
            Self::Plain(rows) => Self::Plain(gather(rows, index)),
            Self::Packed(rows) => Self::Packed(gather(rows, index)),
        }
    }

    /// More slots, up to `capacity`.
    pub fn grow(self, capacity: usize) -> Self {
        match self {
            Self::Plain(rows) => Self::Plain(grow(rows, capacity)),
            Self::Packed(rows) => Self::Packed(grow(rows, capacity)),
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "the head dimension is even and the kernels run on the device, as `check_storable` has found out"
)]
fn packed<const D: usize>(new: Tensor<D>) -> Tensor<D, Int> {
    pack_f16(new.cast(FloatDType::F32)).expect("rows pack")
}

fn first<K: Basic>(rows: &Tensor<3, K>, slots: usize) -> Tensor<3, K> {
    let [_, capacity, _] = rows.dims();
    if slots == capacity {
        rows.clone()
    } else {
        rows.clone().narrow(1, 0, slots)
    }
}

fn put<K: Basic>(rows: Tensor<3, K>, index: Tensor<1, Int>, new: Tensor<2, K>) -> Tensor<3, K> {
    let [heads, capacity, width] = rows.dims();
    rows.reshape([heads * capacity, width])
        .select_assign(0, index, new, IndexingUpdateOp::Assign)
        .reshape([heads, capacity, width])
}

fn put_range<K: Basic>(rows: Tensor<3, K>, start: usize, new: Tensor<3, K>) -> Tensor<3, K> {
    let [heads, count, width] = new.dims();
    rows.slice_assign([0..heads, start..start + count, 0..width], new)
}

fn gather<K: Basic>(rows: Tensor<3, K>, index: Tensor<2, Int>) -> Tensor<3, K> {
    let [heads, capacity, width] = rows.dims();
    let [_, kept] = index.dims();
    rows.reshape([heads * capacity, width])
        .select(0, index.reshape([heads * kept]))
        .reshape([heads, kept, width])
}

fn grow<K: Basic>(rows: Tensor<3, K>, capacity: usize) -> Tensor<3, K> {
    let [heads, had, width] = rows.dims();
    let shape = [heads, capacity.saturating_sub(had), width];
    let more = Tensor::zeros(shape, (&rows.device(), rows.dtype()));
    Tensor::cat(vec![rows, more], 1)
}
