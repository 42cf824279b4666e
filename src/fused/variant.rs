//! From a shader's file to its text: the files of a decode step are templates, written out for a model's sizes, since loops
//! whose bounds are known are what shader compilers unroll.

use minijinja::context;

use super::order_words as step_words;
use super::sizes::{Activations, DecodeSizes, NONE, PART, SPLIT};
use super::tuning::Tuning;
use crate::formats::BlockFormat;
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

/// Writes `texts` out.
pub fn render(
    texts: &ShaderSources<'_>,
    sizes: &DecodeSizes,
    particular: &KernelVariant,
) -> String {
    let matrix = particular.matrix;
    let tile = matrix.map_or(0, |matrix| matrix.tile);
    let tuning = particular.tuning.within(tile.max(1));
    let octs = sizes.dim / 8;
    let in_quads = match matrix {
        Some(_) => tuning.in_quads,
        None => particular.tuning.attends_in_quads(octs),
    };
    let products = matrix.map(|matrix| matrix.format.products());
    let integers = tuning.integers && products.is_some_and(|it| it.integers.is_some());
    let own_first = in_quads && !integers && products.is_some_and(|it| it.quads.is_some());
    let values = context! {
        rows => tuning.rows,
        lanes => tuning.lanes,
        joined => tuning.joined,
        integers => integers,
        in_quads => in_quads,
        own_first => own_first,
        tile => tile,
        attending => tuning.attending,
        slots => tuning.slots,
        share => tuning.share(octs),
        threads => tuning.threads,
        drawing => tuning.drawing(),
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
        scale => format!("{:e}", sizes.scale),
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
    if tuning.joined > 1 || in_quads {
        written += ENABLE_SUBGROUPS;
        written.push('\n');
    }
    written += &write_out(texts.0, &values);
    if in_quads {
        written += include_str!("../../shaders/decode/of_quad.wgsl");
        written += include_str!("../../shaders/decode/from_quad.wgsl");
    }
    if let Some(matrix) = matrix {
        let products = matrix.format.products().wgsl(integers, in_quads);
        for text in matrix.format.wgsl().iter().chain(products) {
            written += text;
            written.push('\n');
        }
    }
    written
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
