//! Shaders that are templates: written out for sizes that are known when they are compiled, since loops whose bounds are
//! known are what shader compilers unroll.

use minijinja::{Environment, Value, context};

/// What a shader that uses subgroups has to say first in a browser; naga, which reads shaders elsewhere, has no such line.
/// Browsers can't see that a loop's condition is the same for a whole quad where it was made so by swaps.
pub(crate) const ENABLE_SUBGROUPS: &str = if cfg!(target_family = "wasm") {
    "enable subgroups;\ndiagnostic(off, subgroup_uniformity);"
} else {
    ""
};

/// `shaders/cpu/quad_sums.wgsl` for so many sums a lane, of products of so many elements: what the kernels that use quads have in
/// their midst.
pub(crate) fn quad_sums(sums: usize, elements: usize) -> String {
    let text = include_str!("../../shaders/cpu/quad_sums.wgsl");
    write_out(&[text], &context! { sums, elements })
}

/// Writes `texts` out, one after the other.
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
