//! Contents of a block format's file, and the methods that follow from them.

use std::ops::Range;

use super::BlockFormat;
use crate::formats::WeightsError;

/// A block format, whole. Its name and its summary are in the list of `blocks/mod.rs`.
pub(super) struct Format {
    /// Type number in a GGUF file.
    pub ggml_id: u32,
    /// Elements per block; 1 where elements are plain numbers.
    pub elements: usize,
    /// Bytes per block.
    pub bytes: usize,
    /// Dequantises whole blocks, in order: see [`each`].
    pub dequantise: fn(&[u8]) -> Vec<f32>,
    /// Layout on the GPU.
    pub planes: Planes,
    /// WGSL that binds the planes and has `group_weights`, which dequantises 32 elements.
    pub wgsl: &'static [&'static str],
    /// Products in a decode step.
    pub products: Products,
}

/// Layout of a tensor on the GPU: its blocks' bytes in two planes of words. Shaders then load whole
/// vectors. Nothing is lost, and nothing is dequantised.
///
/// A range takes its bytes of every block of a unit in turn, and zeros up to a whole word.
pub(crate) struct Planes {
    /// Blocks per unit.
    pub unit: usize,
    /// Another order of a block's bits, in which ranges then count; `None` for the file's own.
    pub arranged: Option<Arranged>,
    /// Ranges of a block's bytes in the first plane, `quants`.
    pub quants: &'static [Range<usize>],
    /// Ranges in the second plane, `scales`; without any, there is no such plane.
    pub scales: &'static [Range<usize>],
}

/// An order of a block's bits in which a group's are together, as `groups.rs` puts them.
pub(crate) struct Arranged {
    /// Bytes per block in this order. Zeros may have come in.
    pub bytes: usize,
    /// Appends whole blocks in this order: see [`append_each`].
    pub append: fn(&[u8], &mut Vec<u8>),
}

/// WGSL of a row's product with a group of 32 elements of the input, per way of computing it.
/// `shaders/decode/product.wgsl` calls it.
pub(crate) struct Products {
    /// In floats: `group_dot`, unless the format's own WGSL has it.
    pub floats: &'static [&'static str],
    /// In integers of 8 bits: `group_product`. `None` where elements are no such integers.
    pub integers: Option<&'static [&'static str]>,
    /// By lanes in quads, each with elements that stay in place: `quad_dot`. `None` where lanes in
    /// quads compute as others do.
    pub quads: Option<&'static [&'static str]>,
    /// Groups in a row, from a multiple of it on, for which `group_factors` gives the same.
    pub sharing: usize,
}

impl Products {
    /// Of elements that are dequantised first.
    pub const WEIGHTS: Self = Self {
        floats: &[wgsl!("dot.wgsl")],
        integers: None,
        quads: None,
        sharing: 1,
    };

    /// Of elements that are scale · byte + offset, the byte signed. The format's WGSL has
    /// `group_bytes`, `group_factors` and `group_scales`; `byte_weights.wgsl` dequantises by them.
    pub const BYTES: Self = Self {
        floats: &[wgsl!("byte_dot.wgsl")],
        integers: Some(&[wgsl!("fixed_point.wgsl"), wgsl!("byte_product.wgsl")]),
        quads: Some(&[wgsl!("in_place.wgsl"), wgsl!("byte_quads.wgsl")]),
        sharing: 1,
    };

    /// As [`BYTES`](Self::BYTES), with bytes from fields of words. The format's WGSL has
    /// `group_fields` and the fields' masks; `fields.wgsl` makes bytes of them.
    pub const FIELDS: Self = Self {
        quads: Some(&[wgsl!("in_place.wgsl"), wgsl!("field_quads.wgsl")]),
        ..Self::BYTES
    };

    /// Of elements that are scale · nibble + offset. The format's WGSL has `group_nibbles`,
    /// `group_factors` and `group_scale`; `nibble_weights.wgsl` dequantises by them.
    pub const NIBBLES: Self = Self {
        floats: &[wgsl!("nibble_dot.wgsl")],
        integers: Some(&[wgsl!("fixed_point.wgsl"), wgsl!("nibble_product.wgsl")]),
        quads: Some(&[
            wgsl!("in_place.wgsl"),
            wgsl!("nibble_fields.wgsl"),
            wgsl!("field_quads.wgsl"),
        ]),
        sharing: 1,
    };

    /// The same with factors that `groups` groups have in common.
    pub const fn sharing(self, groups: usize) -> Self {
        Self {
            sharing: groups,
            ..self
        }
    }

    /// The texts for a kernel that computes in `integers`, or whose lanes are `in_quads`.
    pub fn wgsl(&self, integers: bool, in_quads: bool) -> &'static [&'static str] {
        match (self.integers, self.quads) {
            (Some(texts), _) if integers => texts,
            (_, Some(texts)) if in_quads => texts,
            _ => self.floats,
        }
    }
}

impl BlockFormat {
    /// The format with the type number `id` in a GGUF file.
    ///
    /// # Errors
    ///
    /// The name of a format that kvscope does not read, or its number if it has no name.
    pub fn from_ggml(id: u32) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|format| format.ggml_id() == id);
        known
            .ok_or_else(|| ggml_name(id).map_or_else(|| format!("type number {id}"), str::to_owned))
    }

    /// Type number in a GGUF file.
    pub fn ggml_id(self) -> u32 {
        self.format().ggml_id
    }

    /// Names of all formats, for messages.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// Elements per block; 1 where elements are plain numbers.
    pub fn block_elements(self) -> usize {
        self.format().elements
    }

    /// Bytes per block.
    pub fn block_bytes(self) -> usize {
        self.format().bytes
    }

    /// Bytes of a tensor of `dimensions`, the dimension that blocks run along first.
    ///
    /// # Errors
    ///
    /// The shape that would have been right, if there can be no tensor of this one.
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

    /// The elements of whole blocks, in order.
    ///
    /// # Errors
    ///
    /// [`WeightsError::PartialBlock`] if the bytes are not whole blocks.
    pub fn dequantise(self, bytes: &[u8]) -> Result<Vec<f32>, WeightsError> {
        if !bytes.len().is_multiple_of(self.block_bytes()) {
            return Err(WeightsError::PartialBlock {
                format: self.name(),
                bytes: bytes.len(),
                block_bytes: self.block_bytes(),
            });
        }
        Ok((self.format().dequantise)(bytes))
    }

    /// Layout on the GPU.
    pub(crate) fn planes(self) -> &'static Planes {
        &self.format().planes
    }

    /// WGSL that binds the planes and dequantises groups of 32 elements.
    pub(crate) fn wgsl(self) -> &'static [&'static str] {
        self.format().wgsl
    }

    /// Products in a decode step.
    pub(crate) fn products(self) -> &'static Products {
        &self.format().products
    }
}

/// The elements of all blocks of `N` bytes.
pub(super) fn each<const N: usize, const E: usize>(
    bytes: &[u8],
    elements: impl Fn(&[u8; N]) -> [f32; E],
) -> Vec<f32> {
    let (blocks, _) = bytes.as_chunks::<N>();
    blocks.iter().flat_map(elements).collect()
}

/// Appends all blocks of `N` bytes, each with its bits in another order.
pub(super) fn append_each<const N: usize>(
    bytes: &[u8],
    into: &mut Vec<u8>,
    append: impl Fn(&[u8; N], &mut Vec<u8>),
) {
    let (blocks, _) = bytes.as_chunks::<N>();
    blocks.iter().for_each(|block| append(block, into));
}

/// Element `i`'s nibble of the 16 bytes at `block[at..]`. Low ones are elements 0 to 15, high ones
/// 16 to 31.
pub(super) fn nibble_at<const N: usize>(block: &[u8; N], at: usize, i: usize) -> u8 {
    (block[at + i % 16] >> (4 * (i / 16))) & 0xf
}

/// Element `i`'s two bits of the 64 bytes at `block[at..]`. Each half of the 256 elements has 32
/// bytes. Quarter k of a half has bits 2k and 2k + 1.
pub(super) fn two_bits_at<const N: usize>(block: &[u8; N], at: usize, i: usize) -> u8 {
    let (half, quarter, within) = (i / 128, i % 128 / 32, i % 32);
    block[at + half * 32 + within] >> (2 * quarter) & 3
}

/// Reads the f16 at `block[at..at + 2]`. Callers pass constant places inside a block.
pub(super) fn half_at<const N: usize>(block: &[u8; N], at: usize) -> f32 {
    half::f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// Reads the u32 at `block[at..at + 4]`. Callers pass constant places inside a block.
pub(super) fn word_at<const N: usize>(block: &[u8; N], at: usize) -> u32 {
    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}

/// ggml's name of a type number, of formats that kvscope reads and of others
/// (<https://github.com/ggml-org/ggml/blob/master/include/ggml.h>, `enum ggml_type`).
fn ggml_name(id: u32) -> Option<&'static str> {
    Some(match id {
        0 => "F32",
        1 => "F16",
        2 => "Q4_0",
        3 => "Q4_1",
        6 => "Q5_0",
        7 => "Q5_1",
        8 => "Q8_0",
        9 => "Q8_1",
        10 => "Q2_K",
        11 => "Q3_K",
        12 => "Q4_K",
        13 => "Q5_K",
        14 => "Q6_K",
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
        30 => "BF16",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        40 => "NVFP4",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_ggml() {
        for format in BlockFormat::ALL {
            assert_eq!(ggml_name(format.ggml_id()), Some(format.name()));
            assert_eq!(BlockFormat::from_ggml(format.ggml_id()), Ok(format));
        }
        assert_eq!(BlockFormat::from_ggml(16), Err("IQ2_XXS".to_owned()));
        assert_eq!(BlockFormat::from_ggml(40), Err("NVFP4".to_owned()));
        assert_eq!(BlockFormat::from_ggml(4), Err("type number 4".to_owned()));
    }
}
