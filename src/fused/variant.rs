//! From a shader's file to its text: the files of a decode step are templates, written out for a model's sizes, since loops
//! whose bounds are known are what shader compilers unroll.

use minijinja::context;

use super::bindings::{Numbered, number};
use super::order_words as step_words;
use super::sizes::{Activations, DecodeSizes, NONE, PART, SPLIT};
use super::tuning::{Tuning, takes_integers};
use crate::formats::BlockFormat;
use crate::kernels::block_source::format_texts;
use crate::kernels::template::{ENABLE_SUBGROUPS, write_out};

/// The matrix of a kernel, as its template needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MatrixSpec {
    /// How its elements are stored.
    pub format: BlockFormat,
    /// Its rows.
    pub height: usize,
    /// Groups of 32 elements a row.
    pub groups: usize,
    /// Rows of a workgroup.
    pub tile: usize,
}

/// What a template is given besides the model's sizes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct KernelVariant {
    /// Its matrix, if it has one.
    pub matrix: Option<MatrixSpec>,
    /// Where its input lies, in vectors of the activations.
    pub input: usize,
    /// The first of the heads that it projects to.
    pub first_head: usize,
    /// How its work is shared out.
    pub tuning: Tuning,
}

/// The texts of a kernel, in their order.
pub struct ShaderSources<'a>(pub &'a [&'a str]);

/// Renders `texts`, and numbers the bindings.
pub(super) fn render(
    texts: &ShaderSources<'_>,
    sizes: &DecodeSizes,
    particular: &KernelVariant,
) -> Numbered {
    let matrix = particular.matrix;
    let tile = matrix.map_or(0, |matrix| matrix.tile);
    let tuning = particular.tuning.within(tile.max(1));
    let octs = sizes.dim / 8;
    let in_quads = match matrix {
        Some(_) => tuning.quad_loads,
        None => particular.tuning.attends_in_quads(octs),
    };
    let integers = tuning.integers && matrix.is_some_and(|matrix| takes_integers(matrix.format));
    let values = context! {
        rows => tuning.rows_per_lane,
        lanes => tuning.lanes_per_row,
        joined => tuning.subgroup_lanes,
        integers => integers,
        in_quads => in_quads,
        own_first => in_quads && !integers && matrix.is_some_and(|matrix| has_quad_dot(matrix.format)),
        tile => tile,
        attending => tuning.attention_threads,
        slots => tuning.slots_per_thread,
        share => tuning.share(octs),
        threads => tuning.threads,
        drawing => tuning.draw_threads(),
        height => matrix.map_or(0, |matrix| matrix.height),
        groups => matrix.map_or(0, |matrix| matrix.groups),
        input => particular.input,
        first_head => particular.first_head,
        at => places(&sizes.activations()),
        width => sizes.width,
        feed_forward => sizes.feed_forward,
        query_heads => sizes.query_heads,
        kv_heads => sizes.kv_heads,
        group => sizes.group(),
        dim => sizes.dim,
        vocabulary => sizes.vocabulary,
        epsilon => format!("{:e}", sizes.epsilon),
        rotated => sizes.rotated,
        interleaved => sizes.interleaved,
        biases => sizes.biases,
        head_norms => sizes.head_norms,
        extras => sizes.biases || sizes.head_norms,
        norm_at => norm_places(sizes),
        packed => sizes.packed,
        quad => if sizes.packed { "vec2<u32>" } else { "vec4<f32>" },
        oct => if sizes.packed { "vec4<u32>" } else { "vec4<f32>" },
        scale => format!("{:e}", 1.0 / (sizes.dim as f32).sqrt()),
        split => SPLIT,
        partial => sizes.partial(),
        part => PART,
        parts => sizes.parts(),
        nothing => NONE,
        step_words => step_words::vectors(sizes),
        step_header => step_words::first_layer(sizes),
        angles => step_words::first_angle(),
    };
    let mut written = String::new();
    if tuning.subgroup_lanes > 1 || in_quads {
        written += ENABLE_SUBGROUPS;
        written.push('\n');
    }
    written += &write_out(texts.0, &values);
    if in_quads {
        written += include_str!("../../shaders/decode/of_quad.wgsl");
        written += include_str!("../../shaders/decode/from_quad.wgsl");
    }
    if let Some(matrix) = matrix {
        for text in format_texts(matrix.format).iter().chain(product_texts(
            matrix.format,
            integers,
            in_quads,
        )) {
            written += text;
            written.push('\n');
        }
    }
    number(&written)
}

fn places(at: &Activations) -> minijinja::Value {
    context! {
        hidden => at.hidden,
        weighted => at.weighted,
        squares => at.squares,
        queries => at.queries,
        attended => at.attended,
        feed_forward => at.feed_forward,
    }
}

/// Where the weights of the heads' norms lie among the extras: after the biases.
fn norm_places(sizes: &DecodeSizes) -> minijinja::Value {
    let biases = if sizes.biases {
        (sizes.query_heads + 2 * sizes.kv_heads) * sizes.dim
    } else {
        0
    };
    context! { query => biases, key => biases + sizes.dim }
}

/// How the products with a group are summed, where the format's own text does not say.
fn product_texts(format: BlockFormat, integers: bool, in_quads: bool) -> &'static [&'static str] {
    macro_rules! texts {
        ($($file:literal),+) => {
            &[$(include_str!(concat!("../../shaders/blocks/", $file))),+]
        };
    }
    let nibbles = has_nibbles(format);
    match format {
        BlockFormat::Q8_0 if integers => texts!("fixed_point.wgsl", "byte_product.wgsl"),
        BlockFormat::Q8_0 if in_quads => texts!("in_place.wgsl", "byte_quads.wgsl"),
        BlockFormat::Q8_0 => &[],
        _ if nibbles && integers => texts!("fixed_point.wgsl", "nibble_product.wgsl"),
        _ if nibbles && in_quads => texts!("in_place.wgsl", "nibble_quads.wgsl"),
        _ if nibbles => texts!("nibble_dot.wgsl"),
        _ => texts!("dot.wgsl"),
    }
}

/// Whether products in quads have a text of their own for a format.
fn has_quad_dot(format: BlockFormat) -> bool {
    format == BlockFormat::Q8_0 || has_nibbles(format)
}

/// Whether a format's elements are scale * nibble + offset.
fn has_nibbles(format: BlockFormat) -> bool {
    matches!(
        format,
        BlockFormat::Q4_0 | BlockFormat::Q4_1 | BlockFormat::Q4_K
    )
}
