//! Shader templates, rendered for sizes that are known at compile time: shader compilers unroll
//! only loops of known bounds.

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
    let text = include_str!("../../shaders/cpu/quad_sums.wgsl");
    write_out(&[text], &context! { sums, elements })
}

/// Renders `texts`, one after the other.
pub(crate) fn write_out(texts: &[&str], values: &Value) -> String {
    let environment = Environment::new();
    let mut written = String::new();
    for text in texts {
        #[expect(
            clippy::expect_used,
            reason = "the templates are files of this crate, and tests write all of them out"
        )]
        let text = environment
            .render_str(text, values)
            .expect("a template that can be written out");
        written += &text;
        written.push('\n');
    }
    written
}
