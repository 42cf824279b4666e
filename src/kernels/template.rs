//! Shader templates, rendered for sizes that are known at compile time: shader compilers unroll
//! only loops of known bounds.

use crate::shaders::shader;
use minijinja::{Environment, Value, context};

/// Directives that browsers require before subgroup operations; native naga rejects them. The
/// diagnostic is off because compilers cannot prove quad-swapped loop bounds uniform.
pub(crate) const ENABLE_SUBGROUPS: &str = if cfg!(target_family = "wasm") {
    "enable subgroups;\ndiagnostic(off, subgroup_uniformity);"
} else {
    ""
};

/// `shaders/cpu/quad_sums.wgsl` for `sums` sums per lane, each of `elements` products: the inner
/// loop of the kernels that use quads.
pub(crate) fn quad_sums(sums: usize, elements: usize) -> String {
    let text = shader!("cpu/quad_sums.wgsl");
    write_out(&[text], &context! { sums, elements })
}

/// Renders `texts` as one template, so that macros of the first serve those after it.
pub(crate) fn write_out(texts: &[&str], values: &Value) -> String {
    write_out_with(&[], texts, values)
}

/// As [`write_out`], with the macros of `modules` under their names.
#[expect(
    clippy::expect_used,
    reason = "the templates are files of this crate, and tests render all of them"
)]
pub(crate) fn write_out_with(modules: &[(&str, &str)], texts: &[&str], values: &Value) -> String {
    let mut environment = Environment::new();
    let mut text = String::new();
    for (name, module) in modules {
        let added = environment.add_template(name, module);
        added.expect("a template of this crate");
        text += &format!("{{%- import \"{name}\" as {name} -%}}");
    }
    text += &texts.join("\n");
    let mut written = environment
        .render_str(&text, values)
        .expect("a template of this crate");
    written.push('\n');
    written
}
