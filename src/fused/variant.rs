//! Rendering: from a shader's templates to WGSL for one model, matrix and tuning. Sizes become
//! literals, because shader compilers unroll loops whose bounds they know.

use minijinja::{Value, context};

use super::bindings::{Numbered, number};
use super::draw_words;
use super::order_words as step_words;
use super::sizes::{DecodeSizes, Features, NONE, PART, SPLIT};
use super::tuning::Tuning;
use crate::cache::{CacheType, CacheTypes, EXACT, SINKS, rotation_order};
use crate::formats::BlockFormat;
use crate::generate::MOST_LOGPROBS;
use crate::kernels::block_source::GROUP;
use crate::kernels::template::{ENABLE_SUBGROUPS, write_out_with};
use crate::model::NormPlaces;
use crate::shaders::shader;

/// The matrix that a kernel is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MatrixSpec {
    /// Format of its blocks.
    pub format: BlockFormat,
    /// Number of rows.
    pub height: usize,
    /// Groups of 32 elements per row.
    pub groups: usize,
    /// Rows per workgroup; of `embed`, groups per workgroup.
    pub tile: usize,
}

impl MatrixSpec {
    /// Groups whose factors are the same, if no row begins between two of them.
    fn sharing(self) -> usize {
        match self.format.products().sharing {
            sharing if self.groups.is_multiple_of(sharing) => sharing,
            _ => 1,
        }
    }
}

/// Everything that a kernel is compiled for, beside the model's sizes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct KernelVariant {
    /// Its matrix; `None` for kernels without one.
    pub matrix: Option<MatrixSpec>,
    /// Beginning of its input, in vectors of the activations.
    pub input: usize,
    /// The first head that it computes, counted over queries, keys and values.
    pub first_head: usize,
    /// The RoPE of its layer; `None` for none, and for kernels that rotate nothing.
    pub rope: Option<usize>,
    /// `true` if it adds a bias.
    pub bias: bool,
    /// Division of its work among threads.
    pub tuning: Tuning,
}

/// The templates of a kernel, in the order of the rendered text.
pub struct ShaderSources<'a>(pub &'a [&'a str]);

/// Renders `sources`, and numbers the bindings.
pub(super) fn render(
    sources: &ShaderSources<'_>,
    sizes: &DecodeSizes,
    variant: &KernelVariant,
) -> Numbered {
    let lanes = LanePlan::new(sizes, variant);
    let values = context! {
        ..lanes.values(),
        ..matrix_values(variant),
        ..model_values(sizes),
        ..row_values(sizes),
        ..layout_values(sizes, variant),
    };
    let mut text = String::new();
    if lanes.tuning.subgroup_lanes > 1 || lanes.quad_loads {
        text += ENABLE_SUBGROUPS;
        text.push('\n');
    }
    // The macros of the storage types, for the kernels that read or write rows.
    let [keys, values_] = sizes.types.each().map(|one| one.row_format().wgsl);
    let exact = EXACT.row_format().wgsl;
    let modules = [
        ("key_rows", keys),
        ("value_rows", values_),
        ("exact_rows", exact),
    ];
    text += &write_out_with(&modules, sources.0, &values);
    for shared in lanes.texts(variant) {
        text += shared;
        text.push('\n');
    }
    number(&text)
}

/// Division of a kernel's work, with tuning, tile and format reconciled.
struct LanePlan {
    tuning: Tuning,
    /// Rows of the matrix per workgroup; 0 without a matrix.
    tile: usize,
    /// Products in integers, with the input in fixed point.
    integers: bool,
    /// Four neighbours load a quarter each of what all of them read.
    quad_loads: bool,
    /// Products of quads take the input in the order in which the lanes have it.
    own_first: bool,
    /// Groups whose factors are loaded together: those of a row are a multiple of it.
    sharing: usize,
    /// Vectors of eight elements per head and attending thread.
    share: usize,
}

impl LanePlan {
    fn new(sizes: &DecodeSizes, variant: &KernelVariant) -> Self {
        let products = variant.matrix.map(|matrix| matrix.format.products());
        let tile = variant.matrix.map_or(0, |matrix| matrix.tile);
        let tuning = variant.tuning.within(tile.max(1));
        let octs = sizes.dim / 8;
        let integers = tuning.integers && products.is_some_and(|it| it.integers.is_some());
        let quad_loads = match products {
            Some(_) => tuning.quad_loads,
            None => variant.tuning.attends_in_quads(octs),
        };
        Self {
            tuning,
            tile,
            integers,
            quad_loads,
            own_first: quad_loads && !integers && products.is_some_and(|it| it.quads.is_some()),
            sharing: variant.matrix.map_or(1, MatrixSpec::sharing),
            share: tuning.share(octs),
        }
    }

    /// The names that templates have for it.
    fn values(&self) -> Value {
        let Self { tuning, tile, .. } = *self;
        context! {
            tile,
            rows => tuning.rows_per_lane,
            lanes => tuning.lanes_per_row,
            joined => tuning.subgroup_lanes,
            integers => self.integers,
            in_quads => self.quad_loads,
            own_first => self.own_first,
            sharing => self.sharing,
            attending => tuning.attention_threads,
            slots => tuning.slots_per_thread,
            share => self.share,
            threads => tuning.threads,
            drawing => tuning.draw_threads(),
        }
    }

    /// The texts that follow a kernel's own: quad operations, the format's, the product's.
    fn texts(&self, variant: &KernelVariant) -> Vec<&'static str> {
        let mut texts = Vec::new();
        if self.quad_loads {
            texts.push(shader!("decode/of_quad.wgsl"));
            texts.push(shader!("decode/from_quad.wgsl"));
        }
        if let Some(MatrixSpec { format, .. }) = variant.matrix {
            texts.extend(format.wgsl());
            texts.extend(format.products().wgsl(self.integers, self.quad_loads));
        }
        texts
    }
}

/// The matrix, and what the kernel does with it.
fn matrix_values(variant: &KernelVariant) -> Value {
    let matrix = variant.matrix;
    context! {
        height => matrix.map_or(0, |matrix| matrix.height),
        groups => matrix.map_or(0, |matrix| matrix.groups),
        input => variant.input,
        first_head => variant.first_head,
        rotates => variant.rope.is_some(),
        is_product => variant.matrix.is_some(),
        bias => variant.bias,
    }
}

/// The model.
fn model_values(sizes: &DecodeSizes) -> Value {
    context! {
        width => sizes.width,
        feed_forward => sizes.feed_forward,
        query_heads => sizes.query_heads,
        kv_heads => sizes.kv_heads,
        group => sizes.group(),
        dim => sizes.dim,
        vocabulary => sizes.vocabulary,
        epsilon => format!("{:e}", sizes.epsilon),
        scale => format!("{:e}", sizes.scale),
        rotated => sizes.rotated,
        interleaved => sizes.interleaved,
        biases => sizes.biases,
        head_norms => sizes.head_norms,
        ..feature_values(&sizes.features),
    }
}

/// The model's features beyond Llama's layer. A factor of 1 is empty, and no text.
fn feature_values(features: &Features) -> Value {
    let factor = |factor: f32| {
        if factor == 1.0 {
            String::new()
        } else {
            format!("{factor:e} * ")
        }
    };
    context! {
        norms_of_all_heads => features.norms_of_all_heads,
        gelu => features.gelu,
        norms_before => features.norms != NormPlaces::After,
        norms_after => features.post_norms(),
        query_growth => features.query_growth,
        embedding_factor => factor(features.embedding_scale),
        residual_factor => factor(features.residual_scale),
        logit_factor => factor(features.logit_scale),
    }
}

/// The storage of keys and values.
fn row_values(sizes: &DecodeSizes) -> Value {
    let CacheTypes { keys, values } = sizes.types;
    let unit = |one: CacheType| (one.row_format().unit)(sizes.dim);
    let exact = keys.exact().max(values.exact());
    let order = rotation_order(sizes.dim);
    context! {
        key_unit => unit(keys),
        value_unit => unit(values),
        exact_unit => unit(EXACT),
        // Functions of a format are declared once.
        types_differ => keys != values,
        exact_functions => exact > 0 && keys != EXACT && values != EXACT,
        in_frame => sizes.in_frame(),
        keys_in_frame => keys.framed(),
        values_in_frame => values.framed(),
        exact_keys => keys.exact() > 0,
        exact_values => values.exact() > 0,
        sinks => SINKS,
        ring => exact,
        rotation_quads => order / 4,
        rotation_size => format!("{:e}", 1.0 / (order as f32).sqrt()),
    }
}

/// Layout of the step's buffers.
fn layout_values(sizes: &DecodeSizes, variant: &KernelVariant) -> Value {
    let at = sizes.activations();
    // The norms of the heads come after the biases.
    let biases = if sizes.biases {
        (sizes.query_heads + 2 * sizes.kv_heads) * sizes.dim
    } else {
        0
    };
    let query_norms = if sizes.features.norms_of_all_heads {
        sizes.query_heads
    } else {
        1
    };
    context! {
        at => context! {
            hidden => at.hidden,
            weighted => at.weighted,
            squares => at.squares,
            queries => at.queries,
            attended => at.attended,
            feed_forward => at.feed_forward,
            new_rows => at.new_rows,
            added => at.added,
            added_squares => at.added_squares,
            head_squares => at.head_squares,
        },
        square_sums => sizes.width / GROUP,
        extras => sizes.biases || sizes.head_norms || sizes.features.norms_of_all_heads,
        norm_at => context! { query => biases, key => biases + query_norms * sizes.dim },
        split => SPLIT,
        partial => sizes.partial(),
        part => PART,
        parts => sizes.parts(),
        nothing => NONE,
        most_logprobs => MOST_LOGPROBS,
        sampling => draw_words::options(),
        step_words => step_words::vectors(sizes),
        step_header => step_words::first_layer(sizes),
        step_heads => step_words::first_heads(sizes),
        angles => step_words::first_angle(sizes, variant.rope.unwrap_or(0)),
    }
}
