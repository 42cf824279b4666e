//! The block formats by name, their sizes, and dequantisation by name.

use super::{plain, q4_0, q4_1, q4_k, q5_0, q5_1, q5_k, q6_k, q8_0};
use crate::formats::WeightsError;

/// How the elements of a tensor are stored. Names are ggml's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types, reason = "the names are the field's")]
pub enum BlockFormat {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// The upper halves of 32-bit floats.
    BF16,
    /// 32 elements of 4 bits, a scale.
    Q4_0,
    /// 32 elements of 4 bits, a scale and a minimum.
    Q4_1,
    /// 32 elements of 5 bits, a scale.
    Q5_0,
    /// 32 elements of 5 bits, a scale and a minimum.
    Q5_1,
    /// 32 elements of 8 bits, a scale.
    Q8_0,
    /// 256 elements of 4 bits in 8 groups, each with a scale and a minimum of 6 bits.
    Q4_K,
    /// 256 elements of 5 bits in 8 groups, each with a scale and a minimum of 6 bits.
    Q5_K,
    /// 256 elements of 6 bits in 16 groups, each with a scale of 8 bits.
    Q6_K,
}

impl BlockFormat {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::F32,
        Self::F16,
        Self::BF16,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
        Self::Q4_K,
        Self::Q5_K,
        Self::Q6_K,
    ];

    /// The format of that number in a GGUF file.
    ///
    /// # Errors
    /// The name of a format that kvscope does not read, or the number of one that has no name.
    pub fn from_ggml(id: u32) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|format| format.ggml_id() == id);
        known.ok_or_else(|| {
            other_name(id).map_or_else(|| format!("type number {id}"), str::to_owned)
        })
    }

    /// Its number in a GGUF file.
    pub fn ggml_id(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q5_0 => 6,
            Self::Q5_1 => 7,
            Self::Q8_0 => 8,
            Self::Q4_K => 12,
            Self::Q5_K => 13,
            Self::Q6_K => 14,
            Self::BF16 => 30,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q4_K => "Q4_K",
            Self::Q5_K => "Q5_K",
            Self::Q6_K => "Q6_K",
        }
    }

    /// All names, for messages.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// How many elements a block has; 1 where elements are plain numbers.
    pub fn block_elements(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => 1,
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => 32,
            Self::Q4_K | Self::Q5_K | Self::Q6_K => 256,
        }
    }

    /// How many bytes a block has.
    pub fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Q4_0 => q4_0::BYTES,
            Self::Q4_1 => q4_1::BYTES,
            Self::Q5_0 => q5_0::BYTES,
            Self::Q5_1 => q5_1::BYTES,
            Self::Q8_0 => q8_0::BYTES,
            Self::Q4_K => q4_k::BYTES,
            Self::Q5_K => q5_k::BYTES,
            Self::Q6_K => q6_k::BYTES,
        }
    }

    /// How many bytes a tensor of `dimensions` has, the dimension that blocks run along first.
    ///
    /// # Errors
    /// What shape would have been right, if there can't be a tensor of this one.
    pub fn bytes_of(self, dimensions: &[u64]) -> Result<u64, String> {
        let block = self.block_elements() as u64;
        let row = dimensions.first().copied().unwrap_or_default();
        if dimensions.contains(&0) || !row.is_multiple_of(block) {
            return Err(match block {
                1 => "no dimension of 0".to_owned(),
                _ => format!("no dimension of 0, the first one a multiple of {block}"),
            });
        }
        let elements = dimensions
            .iter()
            .try_fold(1_u64, |product, &dimension| product.checked_mul(dimension));
        elements
            .and_then(|elements| (elements / block).checked_mul(self.block_bytes() as u64))
            .ok_or_else(|| "fewer than 2^64 elements and bytes".to_owned())
    }

    /// The elements of whole blocks as f32, in order.
    ///
    /// # Errors
    /// [`WeightsError::PartialBlock`] if the bytes are not whole blocks.
    pub fn dequantise(self, bytes: &[u8]) -> Result<Vec<f32>, WeightsError> {
        if !bytes.len().is_multiple_of(self.block_bytes()) {
            return Err(WeightsError::PartialBlock {
                format: self.name(),
                bytes: bytes.len(),
                block_bytes: self.block_bytes(),
            });
        }
        Ok(match self {
            Self::F32 => each(bytes, plain::f32),
            Self::F16 => each(bytes, plain::f16),
            Self::BF16 => each(bytes, plain::bf16),
            Self::Q4_0 => each(bytes, q4_0::elements),
            Self::Q4_1 => each(bytes, q4_1::elements),
            Self::Q5_0 => each(bytes, q5_0::elements),
            Self::Q5_1 => each(bytes, q5_1::elements),
            Self::Q8_0 => each(bytes, q8_0::elements),
            Self::Q4_K => each(bytes, q4_k::elements),
            Self::Q5_K => each(bytes, q5_k::elements),
            Self::Q6_K => each(bytes, q6_k::elements),
        })
    }
}

/// The elements of all blocks of `N` bytes.
fn each<const N: usize, const E: usize>(
    bytes: &[u8],
    elements: impl Fn(&[u8; N]) -> [f32; E],
) -> Vec<f32> {
    let (blocks, _) = bytes.as_chunks::<N>();
    blocks.iter().flat_map(elements).collect()
}

/// The name of a format that a GGUF file may have, but that is not read.
fn other_name(id: u32) -> Option<&'static str> {
    Some(match id {
        9 => "Q8_1",
        10 => "Q2_K",
        11 => "Q3_K",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        _ => return None,
    })
}
