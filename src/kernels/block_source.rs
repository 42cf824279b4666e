//! Shaders that work on quantised matrices: an operation's text, then the format's text, which
//! dequantises a group of 32 elements.

use burn::cubecl::prelude::KernelId;
use burn_wgpu::{KernelSource, SourceTemplate};

use minijinja::context;

use super::template::write_out;
use crate::formats::BlockFormat;
use crate::shaders::shader;

/// Elements that a shader dequantises at a time.
pub(crate) const GROUP: usize = 32;

/// Operation on a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum BlockOperation {
    /// Product with one token.
    Vector,
    /// Product with several tokens.
    Product,
    /// Some rows in f32.
    Rows,
    /// All rows in f32.
    AllRows,
}

impl BlockOperation {
    fn text(self) -> &'static str {
        match self {
            Self::Vector => shader!("product/matrix_vector.wgsl"),
            Self::Product => shader!("product/matrix_product.wgsl"),
            Self::Rows | Self::AllRows => shader!("product/matrix_rows.wgsl"),
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
        // Where all rows come out, none are named.
        let all = self.operation == BlockOperation::AllRows;
        let output = if all { planes } else { planes + 1 };
        let text = write_out(
            &[self.operation.text()],
            &context! { all, input => planes, output, shape => output + 1 },
        );
        let mut source = SourceTemplate::new(text);
        for text in self.format.wgsl() {
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

/// True if `format` has a second plane, which is then bound after the first.
pub(crate) fn has_scales(format: BlockFormat) -> bool {
    !format.planes().scales.is_empty()
}
