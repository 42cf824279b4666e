//! Shaders that are templates: written out for sizes that are known when they are compiled, since loops whose bounds are
//! known are what shader compilers unroll.

use minijinja::{Environment, Value};

/// Writes `texts` out, one after the other.
pub(super) fn write_out(texts: &[&str], values: &Value) -> String {
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
