//! Block formats: the ways in which a tensor's elements are stored, as plain numbers or as blocks
//! of quantised ones. They are ggml's, little-endian.
//!
//! A format is one file here, one shader in `shaders/blocks` and one line of the list below. The
//! file reads a block element by element, as the format is described. It is the reference that the
//! GPU's kernels are tested against, not a fast path. `docs/adding.md` adds one.

#![allow(
    clippy::single_range_in_vec_init,
    reason = "a plane may hold a single range of a block's bytes"
)]

/// The text of a file in `shaders/blocks`.
macro_rules! wgsl {
    ($file:literal) => {
        $crate::shaders::shader!("blocks/", $file)
    };
}

mod format;
mod groups;
mod iq4_levels;
mod k_scales;

/// Declares the formats: per format its file, its name, its summary.
macro_rules! formats {
    ($($file:ident :: $name:ident = $summary:literal,)+) => {
        $(mod $file;)+

        /// Storage of a tensor's elements. Names are ggml's.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(non_camel_case_types, reason = "the names are the field's")]
        pub enum BlockFormat {
            $(#[doc = $summary] $name,)+
        }

        impl BlockFormat {
            /// All formats, in the order in which messages name them.
            pub const ALL: [Self; [$(Self::$name),+].len()] = [$(Self::$name),+];

            /// Name, as ggml has it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// Contents of the format's file.
            fn format(self) -> &'static format::Format {
                match self {
                    $(Self::$name => &$file::FORMAT,)+
                }
            }
        }
    };
}

formats! {
    f32::F32 = "32-bit floats.",
    f16::F16 = "16-bit floats.",
    bf16::BF16 = "Upper halves of 32-bit floats.",
    q4_0::Q4_0 = "32 elements of 4 bits, a scale.",
    q4_1::Q4_1 = "32 elements of 4 bits, a scale and a minimum.",
    q5_0::Q5_0 = "32 elements of 5 bits, a scale.",
    q5_1::Q5_1 = "32 elements of 5 bits, a scale and a minimum.",
    q8_0::Q8_0 = "32 elements of 8 bits, a scale.",
    q2_k::Q2_K = "256 elements of 2 bits in 16 groups, each with a scale and a minimum of 4 bits.",
    q3_k::Q3_K = "256 elements of 3 bits in 16 groups, each with a scale of 6 bits.",
    q4_k::Q4_K = "256 elements of 4 bits in 8 groups, each with a scale and a minimum of 6 bits.",
    q5_k::Q5_K = "256 elements of 5 bits in 8 groups, each with a scale and a minimum of 6 bits.",
    q6_k::Q6_K = "256 elements of 6 bits in 16 groups, each with a scale of 8 bits.",
    iq4_nl::IQ4_NL = "32 elements of 4 bits, of 16 levels that are not even, a scale.",
    iq4_xs::IQ4_XS = "256 elements as IQ4_NL's in 8 groups, each with a scale of 6 bits.",
    mxfp4::MXFP4 = "32 floats of 4 bits, an exponent.",
    tq2_0::TQ2_0 = "256 elements of 2 bits, -1 to 2, a scale.",
}
