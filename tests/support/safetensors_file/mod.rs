//! Safetensors files for tests: right ones by the crate `safetensors`, wrong ones by hand.

use safetensors::tensor::{Dtype, TensorView};

/// A file with that text as its header, and bytes after it.
pub fn raw(header: impl AsRef<[u8]>, data: &[u8]) -> Vec<u8> {
    let header = header.as_ref();
    let length = (header.len() as u64).to_le_bytes();
    [&length, header, data].concat()
}

/// The entry of a tensor in a header.
pub fn entry(name: &str, dtype: &str, shape: &[u64], begin: u64, end: u64) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{begin},{end}]}}"#)
}

/// A header of these entries.
pub fn header(entries: &[String]) -> String {
    format!("{{{}}}", entries.join(","))
}

/// A tensor to be written.
#[derive(Debug, Clone)]
pub struct Tensor {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

impl Tensor {
    /// Filled with bytes that count up from `first`.
    pub fn new(name: &str, dtype: Dtype, shape: &[usize], first: u8) -> Self {
        let count = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        Self {
            name: name.to_owned(),
            dtype,
            shape: shape.to_vec(),
            bytes: (0..count).map(|i| first.wrapping_add(i as u8)).collect(),
        }
    }
}

/// A file as the crate writes it.
pub fn written(tensors: &[Tensor], metadata: &[(&str, &str)]) -> Vec<u8> {
    let views = tensors.iter().map(|tensor| {
        let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes);
        (tensor.name.as_str(), view.unwrap())
    });
    let metadata = metadata
        .iter()
        .map(|&(key, text)| (key.into(), text.into()));
    let metadata = (metadata.len() > 0).then(|| metadata.collect());
    safetensors::serialize(views, metadata).unwrap()
}
