//! The environment of a template: its filters, functions and limits.

use super::json::tojson;
use super::value::{weighed, written};
use crate::text::TextError;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat;

/// Steps that any template may take. A step is an instruction or 64 bytes of text made on the way.
/// It bounds time and memory together: 16 MiB beside what the messages need.
pub(super) const FUEL: u64 = 1 << 18;
/// Bytes of the messages per further step: a template may go over them 32 times.
pub(super) const BYTES_PER_FUEL: u64 = 2;
/// Nesting limit of macros and loops.
const RECURSION: usize = 64;

pub(super) const NAME: &str = "chat_template";

/// The environment of `transformers`' `_compile_jinja_template`, with one template in it.
pub(super) fn environment(source: String) -> Result<Environment<'static>, TextError> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build();
    environment.set_syntax(syntax.map_err(failed)?);
    environment.set_debug(false);
    environment.set_recursion_limit(RECURSION);
    environment.set_unknown_method_callback(method);
    environment.set_formatter(written);
    environment.add_filter("tojson", tojson);
    environment.add_filter("weighed", weighed);
    environment.add_function("raise_exception", |message: String| {
        Err::<(), _>(Error::new(ErrorKind::InvalidOperation, message))
    });
    environment
        .add_template_owned(NAME, source)
        .map_err(failed)?;
    Ok(environment)
}

/// Python's methods, except `str.format` with a width: it allocates that width before it asks for
/// fuel.
fn method(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    if method == "format" && value.as_str().is_some_and(|text| text.contains(':')) {
        let detail = "format knows no format specifications";
        return Err(Error::new(ErrorKind::InvalidOperation, detail));
    }
    pycompat::unknown_method_callback(state, value, method, arguments)
}

/// An error of the template, with its chain of causes.
pub(super) fn failed(error: Error) -> TextError {
    let mut detail = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        detail = format!("{detail}: {cause}");
        source = cause.source();
    }
    TextError::template(&detail)
}
