//! The shaders that work on quantised matrices: their own text, and that of the matrix's format, which says how a group of
//! 32 elements is dequantised.

use burn::cubecl::prelude::KernelId;
use burn_wgpu::{KernelSource, SourceTemplate};

use minijinja::context;

use super::template::write_out;
use crate::formats::BlockFormat;

/// Elements that a shader dequantises at a time.
pub(crate) const GROUP: usize = 32;

/// What a shader does with the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum BlockOperation {
    Vector,
    Product,
    /// Some rows in f32.
    Rows,
    /// All rows in f32.
    AllRows,
}

impl BlockOperation {
    fn text(self) -> &'static str {
        match self {
            Self::Vector => include_str!("../../shaders/product/matrix_vector.wgsl"),
            Self::Product => include_str!("../../shaders/product/matrix_product.wgsl"),
            Self::Rows | Self::AllRows => include_str!("../../shaders/product/matrix_rows.wgsl"),
        }
    }
}

/// An operation on a matrix of one format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct BlockKernel {
    pub operation: BlockOperation,
    pub format: BlockFormat,
}

impl KernelSource for BlockKernel {
    fn source(&self) -> SourceTemplate {
        let planes = if has_scales(self.format) { 2 } else { 1 };
        // Nothing goes in where all rows come out.
        let all = self.operation == BlockOperation::AllRows;
        let output = if all { planes } else { planes + 1 };
        let text = write_out(
            &[self.operation.text()],
            &context! { all, input => planes, output, shape => output + 1 },
        );
        let mut source = SourceTemplate::new(text);
        for text in format_texts(self.format) {
            source = source.add_template(*text);
        }
        source
    }

    fn id(&self) -> KernelId {
        KernelId::new::<Self>().info(*self)
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

/// Whether the format's second plane has anything in it, and is bound.
pub(crate) fn has_scales(format: BlockFormat) -> bool {
    !matches!(
        format,
        BlockFormat::F32 | BlockFormat::F16 | BlockFormat::BF16
    )
}

macro_rules! texts {
    ($($file:literal),+) => {
        &[$(include_str!(concat!("../../shaders/blocks/", $file))),+]
    };
}

/// What says how the format's elements are dequantised.
pub(crate) fn format_texts(format: BlockFormat) -> &'static [&'static str] {
    match format {
        BlockFormat::F32 => texts!("f32.wgsl"),
        BlockFormat::F16 => texts!("f16.wgsl"),
        BlockFormat::BF16 => texts!("bf16.wgsl"),
        BlockFormat::Q4_0 => texts!("q4_0.wgsl"),
        BlockFormat::Q4_1 => texts!("q4_1.wgsl"),
        BlockFormat::Q5_0 => texts!("q5_0.wgsl"),
        BlockFormat::Q5_1 => texts!("q5_1.wgsl"),
        BlockFormat::Q8_0 => texts!("q8_0.wgsl"),
        BlockFormat::Q4_K => texts!("q4_k.wgsl", "k_scale.wgsl"),
        BlockFormat::Q5_K => texts!("q5_k.wgsl", "k_scale.wgsl"),
        BlockFormat::Q6_K => texts!("q6_k.wgsl"),
    }
}
