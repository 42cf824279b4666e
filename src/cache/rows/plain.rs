//! Rows of one storage type in a tensor.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::kind::Basic;
use burn::tensor::ops::IndexingUpdateOp;
use burn::tensor::{Bool, DType, Device, FloatDType, Int, Tensor, TensorData};

use super::host::HostMemory;
use crate::cache::buffers::copied_part;
use crate::cache::error::CacheError;
use crate::cache::storage::CacheType;
use crate::kernels::{
    BoundBuffer, KernelError, StoredRows, buffer_of, int_buffer_of, pack_rows, runs_wgsl,
    unpack_rows,
};

/// Rows of `head_dim` elements, `[kv_heads, capacity]` of them, in the cache's type.
///
/// Methods that write take the rows by value: burn writes in place only if nothing else holds the
/// tensor.
#[derive(Module, Debug)]
pub(in crate::cache) struct PlainRows {
    memory: RowMemory,
    #[module(skip)]
    cache_type: CacheType,
    #[module(skip)]
    head_dim: usize,
}

/// The tensor that holds rows on one device.
#[derive(Module, Debug)]
enum RowMemory {
    /// A float type of the device's own, `[kv_heads, capacity, head_dim]`.
    Floats(Tensor<3>),
    /// Packed rows, `[kv_heads, capacity, words per row]`.
    Words(Tensor<3, Int>),
}

/// Does the same to rows in either form.
macro_rules! in_either {
    ($self:expr, |$rows:ident| $done:expr) => {{
        let rows = $self;
        PlainRows {
            memory: match rows.memory {
                RowMemory::Floats($rows) => RowMemory::Floats($done),
                RowMemory::Words($rows) => RowMemory::Words($done),
            },
            ..rows
        }
    }};
}

/// Writes rows of f32 into rows in either form, once they have that form.
macro_rules! as_stored {
    ($self:expr, $new:ident, |$rows:ident| $written:expr) => {{
        let rows = $self;
        let memory = match rows.memory {
            RowMemory::Floats($rows) => {
                let $new = $new.cast($rows.dtype());
                RowMemory::Floats($written)
            }
            RowMemory::Words($rows) => {
                let $new = packed($new, rows.cache_type);
                RowMemory::Words($written)
            }
        };
        PlainRows { memory, ..rows }
    }};
}

/// Asks the same of rows in either form.
macro_rules! of_either {
    ($self:expr, |$rows:ident| $asked:expr) => {
        match &$self.memory {
            RowMemory::Floats($rows) => $asked,
            RowMemory::Words($rows) => $asked,
        }
    };
}

impl PlainRows {
    /// Empty rows, `shape` being `[kv_heads, capacity, head_dim]`. `device` has passed
    /// [`CacheType::check`].
    pub fn zeros(shape: [usize; 3], cache_type: CacheType, device: &Device) -> Self {
        let memory = match cache_type.float_on(device) {
            Some(float) => RowMemory::Floats(Tensor::zeros(shape, (device, float))),
            None => RowMemory::Words(Tensor::zeros(
                word_shape(shape, cache_type),
                (device, DType::U32),
            )),
        };
        Self {
            memory,
            cache_type,
            head_dim: shape[2],
        }
    }

    /// Rows from their [`bytes`](Self::bytes). `device` has passed [`CacheType::check`].
    pub fn from_bytes(
        bytes: Vec<u8>,
        shape: [usize; 3],
        cache_type: CacheType,
        device: &Device,
    ) -> Self {
        let memory = match cache_type.float_on(device) {
            Some(float) => {
                let data = TensorData::from_bytes_vec(bytes, shape, float);
                RowMemory::Floats(Tensor::from_data(data, (device, float)))
            }
            None => {
                let shape = word_shape(shape, cache_type);
                let data = TensorData::from_bytes_vec(bytes, shape, DType::U32);
                RowMemory::Words(Tensor::from_data(data, (device, DType::U32)))
            }
        };
        Self {
            memory,
            cache_type,
            head_dim: shape[2],
        }
    }

    /// The bytes of all rows, equal on every device. Waits for the device.
    pub async fn bytes(&self) -> Result<TensorData, CacheError> {
        of_either!(self, |rows| rows.to_data_async().await).map_err(CacheError::unread)
    }

    /// For every head's every slot, `true` if its row is finite. Waits for the device.
    pub async fn are_finite(&self) -> Result<Vec<bool>, CacheError> {
        let data = self.bytes().await?;
        let elements = match &self.memory {
            RowMemory::Floats(_) => data.try_into_vec_as::<f32>().map_err(CacheError::unread)?,
            RowMemory::Words(_) => {
                let words = data.try_into_vec_as::<u32>().map_err(CacheError::unread)?;
                unpacked_words(&words, self.head_dim, self.cache_type)
            }
        };
        let is_finite = |row: &[f32]| row.iter().all(|element| element.is_finite());
        Ok(elements
            .chunks(self.head_dim.max(1))
            .map(is_finite)
            .collect())
    }

    pub fn device(&self) -> Device {
        of_either!(self, |rows| rows.device())
    }

    /// Shape and type as allocated.
    pub fn layout(&self) -> ([usize; 3], DType) {
        of_either!(self, |rows| (rows.dims(), rows.dtype()))
    }

    /// `true` if a write needs no copy.
    pub fn is_unshared(&self) -> bool {
        of_either!(self, |rows| rows.can_mut())
    }

    /// The rows as kernels read them.
    ///
    /// # Errors
    ///
    /// [`KernelError`] on a device that runs no kernels.
    pub fn stored(&self) -> Result<StoredRows, KernelError> {
        let format = self.cache_type.row_format();
        match &self.memory {
            RowMemory::Floats(rows) => StoredRows::of_f32(rows.clone(), format),
            RowMemory::Words(rows) => StoredRows::new(rows.clone(), self.head_dim, format),
        }
    }

    /// The rows' memory, for kernels that write into it.
    ///
    /// # Errors
    ///
    /// [`KernelError::Device`] if the device does not answer.
    pub fn buffer(&self) -> Result<BoundBuffer, KernelError> {
        match &self.memory {
            RowMemory::Floats(rows) => buffer_of(rows),
            RowMemory::Words(rows) => int_buffer_of(rows),
        }
    }

    /// `[kv_heads, capacity, head_dim]`
    pub fn shape(&self) -> [usize; 3] {
        let ([heads, capacity, _], _) = self.layout();
        [heads, capacity, self.head_dim]
    }

    /// Slots per head.
    pub fn capacity(&self) -> usize {
        let ([_, capacity, _], _) = self.layout();
        capacity
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        let (shape, dtype) = self.layout();
        shape.iter().product::<usize>() as u64 * dtype.size() as u64
    }

    /// The rows of the first `slots` slots in f32, `[kv_heads, slots, head_dim]`. Of any type but
    /// f32 this is a copy, which lives as long as one layer's attention.
    pub fn read(&self, slots: usize) -> Tensor<3> {
        self.read_range(0..slots)
    }

    /// The rows of the slots `range` in f32, `[kv_heads, slots, head_dim]`.
    pub fn read_range(&self, range: Range<usize>) -> Tensor<3> {
        match &self.memory {
            RowMemory::Floats(rows) => part(rows, range).cast(FloatDType::F32),
            RowMemory::Words(rows) => unpacked(part(rows, range), self.head_dim, self.cache_type),
        }
    }

    /// Writes one row per head, `[kv_heads, head_dim]`, into the slots `index`, counted over all
    /// heads' slots.
    pub fn put(self, index: Tensor<1, Int>, new: Tensor<2>) -> Self {
        as_stored!(self, new, |rows| put(rows, index, new))
    }

    /// Writes `[kv_heads, count, head_dim]` into the slots from `start` on.
    pub fn put_range(self, start: usize, new: Tensor<3>) -> Self {
        as_stored!(self, new, |rows| put_range(rows, start, new))
    }

    /// The same rows in memory of their own.
    pub fn copied(self) -> Self {
        let capacity = self.capacity();
        in_either!(self, |rows| copied_part(rows, 1, 0..capacity))
    }

    /// New rows: those of the slots `index`, `[kv_heads, capacity]`, counted over all heads' slots.
    pub fn gather(self, index: Tensor<2, Int>) -> Self {
        in_either!(self, |rows| gather(rows, index))
    }

    /// New rows: those of the slots `index`, the same ones of every head.
    pub fn select(self, index: Tensor<1, Int>) -> Self {
        in_either!(self, |rows| rows.select(1, index))
    }

    /// `true` if [`on_host`](Self::on_host) can lend the memory.
    pub fn is_on_host(&self) -> bool {
        let (_, dtype) = self.layout();
        !runs_wgsl(&self.device()) && matches!(dtype, DType::F16 | DType::F32 | DType::U32)
    }

    /// Lends the memory of all rows on a CPU. Nothing is copied if nothing else holds it.
    #[expect(clippy::expect_used, reason = "a CPU's memory is always readable")]
    pub fn on_host<R>(self, done: impl FnOnce(HostMemory<'_>) -> R) -> (Self, R) {
        let device = self.device();
        let (memory, result) = match self.memory {
            RowMemory::Floats(rows) => {
                let dtype = rows.dtype();
                let data = rows.into_data();
                let result = match dtype {
                    DType::F16 => done(HostMemory::Halves(data.as_slice().expect("f16"))),
                    _ => done(HostMemory::Singles(data.as_slice().expect("f32"))),
                };
                let rows = Tensor::from_data(data, (&device, dtype));
                (RowMemory::Floats(rows), result)
            }
            RowMemory::Words(rows) => {
                let [_, _, width] = rows.dims();
                let data = rows.into_data();
                let result = done(HostMemory::Words {
                    all: data.as_slice().expect("u32"),
                    width,
                    unpack: self.cache_type.storage().unpack,
                });
                let rows = Tensor::from_data(data, (&device, DType::U32));
                (RowMemory::Words(rows), result)
            }
        };
        (Self { memory, ..self }, result)
    }

    /// Type of the rows.
    pub fn cache_type(&self) -> CacheType {
        self.cache_type
    }

    /// The same rows, and empty ones up to `capacity` slots per head.
    pub fn grow(self, capacity: usize) -> Self {
        in_either!(self, |rows| grow(rows, capacity))
    }

    /// The same rows, with zeros in the slots of `cleared`, `[kv_heads, capacity]`.
    pub fn clear(self, cleared: Tensor<2, Bool>) -> Self {
        in_either!(self, |rows| {
            let shape = rows.dims();
            rows.mask_fill(cleared.unsqueeze_dim::<3>(2).expand(shape), 0)
        })
    }
}

/// The shape of packed rows.
fn word_shape([heads, capacity, dim]: [usize; 3], cache_type: CacheType) -> [usize; 3] {
    [heads, capacity, cache_type.row_bytes(dim) / 4]
}

#[expect(
    clippy::expect_used,
    reason = "`CacheType::check` has passed, and a CPU's memory is always readable"
)]
fn packed<const D: usize>(rows: Tensor<D>, cache_type: CacheType) -> Tensor<D, Int> {
    let rows = rows.cast(FloatDType::F32);
    let (device, mut shape) = (rows.device(), rows.dims());
    if runs_wgsl(&device) {
        return pack_rows(rows, cache_type.row_format()).expect("rows of the type");
    }
    let dim = shape[D - 1];
    let elements = rows.into_data().try_into_vec_as::<f32>().expect("f32");
    let mut words = Vec::new();
    for row in elements.chunks(dim.max(1)) {
        (cache_type.storage().pack)(row, &mut words);
    }
    shape[D - 1] = cache_type.row_bytes(dim) / 4;
    Tensor::from_data(TensorData::new(words, shape), (&device, DType::U32))
}

#[expect(
    clippy::expect_used,
    reason = "the words are rows of the type, and a CPU's memory is always readable"
)]
fn unpacked<const D: usize>(words: Tensor<D, Int>, dim: usize, cache_type: CacheType) -> Tensor<D> {
    let (device, mut shape) = (words.device(), words.dims());
    if runs_wgsl(&device) {
        return unpack_rows(words, dim, cache_type.row_format()).expect("rows of the type");
    }
    let words = words.into_data().try_into_vec_as::<u32>().expect("u32");
    shape[D - 1] = dim;
    let elements = unpacked_words(&words, dim, cache_type);
    Tensor::from_data(TensorData::new(elements, shape), (&device, DType::F32))
}

/// The elements of packed rows in the host's memory.
fn unpacked_words(words: &[u32], dim: usize, cache_type: CacheType) -> Vec<f32> {
    let width = cache_type.row_bytes(dim) / 4;
    let mut elements = vec![0.0; words.len() / width.max(1) * dim];
    let rows = elements.chunks_mut(dim.max(1));
    for (row, words) in rows.zip(words.chunks(width.max(1))) {
        (cache_type.storage().unpack)(words, row);
    }
    elements
}

fn part<K: Basic>(rows: &Tensor<3, K>, range: Range<usize>) -> Tensor<3, K> {
    let [_, capacity, _] = rows.dims();
    if range == (0..capacity) {
        rows.clone()
    } else {
        rows.clone().narrow(1, range.start, range.len())
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

#[cfg(test)]
#[cfg(not(target_family = "wasm"))]
mod tests {
    use super::*;
    use crate::device::{Gpu, GpuOptions};

    /// Rows of elements of all magnitudes, halfway between two f16 as well.
    fn rows() -> Tensor<3> {
        let elements: Vec<f32> = (0..2 * 40 * 64_u32)
            .map(|at| {
                let bits = at.wrapping_mul(2_654_435_769) >> 17;
                let low = half::f16::from_bits(bits as u16 & 0x7bfe).to_f32();
                let high = half::f16::from_bits((bits as u16 & 0x7bfe) + 1).to_f32();
                let sign = if at % 3 == 0 { -1.0 } else { 1.0 };
                sign * [low, high, low.midpoint(high)][at as usize % 3]
            })
            .collect();
        Tensor::from_data(TensorData::new(elements, [2, 40, 64]), &Device::flex())
    }

    fn to<const D: usize, K: Basic>(tensor: Tensor<D, K>, device: &Device) -> Tensor<D, K> {
        let dtype = tensor.dtype();
        Tensor::from_data(tensor.into_data(), (device, dtype))
    }

    /// At most two elements are off, by a step: kernels divide in their own way.
    #[test]
    fn kernels_store_rows_of_any_size_as_the_host_does() {
        let gpu = Gpu::open_blocking(GpuOptions::default()).unwrap();
        for (cache_type, levels) in [(CacheType::H8, 127.0), (CacheType::H4, 7.5 * 0.65)] {
            for dim in (32..=256).step_by(32) {
                let element = |at: usize| ((at * at) as f32 * 0.37).sin() * (1 + at % 5) as f32;
                let elements: Vec<f32> = (0..2 * 9 * dim).map(element).collect();
                let rows = TensorData::new(elements, [2, 9, dim]);
                let rows = Tensor::<3>::from_data(rows, &Device::flex());
                let by_host = packed(rows.clone(), cache_type);
                let by_kernel = packed(to(rows, gpu.device()), cache_type);
                let read = unpacked(by_kernel, dim, cache_type);
                let host = unpacked(by_host, dim, cache_type);
                let off = (to(read, &Device::flex()) - host.clone()).abs();
                let step = host.abs().max_dim(2).expand([2, 9, dim]) / levels;
                let differ = off.clone().greater(step.clone() * 1e-3).int().sum();
                assert!(differ.into_scalar::<i64>() <= 2, "{cache_type}, {dim}");
                assert!(off.lower_equal(step * 1.01).all().into_scalar::<bool>());
            }
        }
    }

    /// Rows that are not finite are read as no numbers, by the host's code and by kernels.
    #[test]
    fn kernels_find_rows_that_are_not_finite() {
        let gpu = Gpu::open_blocking(GpuOptions::default()).unwrap();
        let wrong = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 65_520.0];
        let mut elements = vec![1.0; 2 * 3 * 64];
        for (row, wrong) in wrong.into_iter().enumerate() {
            elements[row * 64 + 9 * row] = wrong;
        }
        let rows = TensorData::new(elements, [2, 3, 64]);
        for (cache_type, finite) in [
            (CacheType::H8, [false, false, false, true, true, true]),
            (CacheType::H4, [false, false, false, true, true, true]),
            (CacheType::F16, [false, false, false, false, true, true]),
            (CacheType::F32, [false, false, false, true, true, true]),
        ] {
            for device in [&Device::flex(), gpu.device()] {
                let new = Tensor::from_data(rows.clone(), device);
                let stored = PlainRows::zeros([2, 3, 64], cache_type, device).put_range(0, new);
                let found = pollster::block_on(stored.are_finite()).unwrap();
                assert_eq!(found, finite, "{cache_type}");
                let read: Vec<f32> = stored.read(3).into_data().try_into_vec_as().unwrap();
                for (row, is_finite) in read.chunks(64).zip(finite) {
                    let numbers = row.iter().filter(|it| !it.is_nan()).count();
                    if cache_type.framed() {
                        assert_eq!(numbers, if is_finite { 64 } else { 0 }, "{cache_type}");
                    }
                }
            }
        }
    }

    /// Every type's rows in words, packed and unpacked by kernels and by the host. A float type's
    /// rows are the same to the bit. Other types' elements may be off by a step, as WGSL's division
    /// is.
    #[test]
    fn kernels_store_as_the_host_does() {
        let gpu = Gpu::open_blocking(GpuOptions::default()).unwrap();
        for &cache_type in CacheType::ALL {
            let by_host = packed(rows(), cache_type);
            let by_kernel = packed(to(rows(), gpu.device()), cache_type);
            let read_by_host = unpacked(by_host.clone(), 64, cache_type);
            let read_by_kernel = unpacked(by_kernel.clone(), 64, cache_type);
            let read_by_kernel = to(read_by_kernel, &Device::flex());
            if cache_type.storage().float.is_some() {
                let by_kernel = by_kernel.into_data();
                assert_eq!(by_kernel.as_bytes(), by_host.into_data().as_bytes());
                let read = read_by_kernel.into_data();
                assert_eq!(read.as_bytes(), read_by_host.into_data().as_bytes());
            } else {
                let off = (read_by_kernel - read_by_host.clone()).abs().max_dim(2);
                let step = read_by_host.abs().max_dim(2) / 7.0;
                assert!(
                    off.lower_equal(step).all().into_scalar::<bool>(),
                    "{cache_type}"
                );
            }
        }
    }

    /// On a device that has the type, its tensors hold the bytes that packed rows have elsewhere.
    #[test]
    fn floats_have_the_bytes_of_words() {
        for &cache_type in CacheType::ALL {
            if let Some(float) = cache_type.float_on(&Device::flex()) {
                let floats = rows().cast(float).into_data();
                let words = packed(rows(), cache_type).into_data();
                assert_eq!(floats.as_bytes(), words.as_bytes(), "{cache_type}");
            }
        }
    }
}
