//! The description of a storage type.

use burn::tensor::DType;

use crate::kernels::RowFormat;

/// Storage of keys and values of one type, row by row; a row is one slot's key or value.
#[derive(Clone, Copy)]
pub struct RowStorage {
    /// Size of a row, and how shaders read and write it.
    pub format: RowFormat,
    /// Head dimensions that have rows, as an error message says it.
    pub head_dim: &'static str,
    /// `true` if rows are stored in a [frame](super::super::frame): rotated, and keys also
    /// centred and balanced.
    pub framed: bool,
    /// Newest positions whose rows are exact as well, beside the first
    /// [`SINKS`](super::super::rows::SINKS); 0 if no row is.
    pub exact: usize,
    /// Float type with the same bytes, for devices that compute with it and run no kernels.
    pub float: Option<DType>,
    /// Appends the words of a row of f32: what kernels store has to be the same to the bit.
    pub pack: fn(&[f32], &mut Vec<u32>),
    /// Writes the elements of a row's words.
    pub unpack: fn(&[u32], &mut [f32]),
}
