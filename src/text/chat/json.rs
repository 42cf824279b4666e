//! JSON as Python writes it: templates show tools and arguments to a model in it.

use crate::text::limits::MAX_TEXT_BYTES;
use minijinja::value::Kwargs;
use minijinja::{Error, ErrorKind, Value};
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter};
use std::io;

/// `transformers`' `tojson`: `json.dumps(value, ensure_ascii=False, indent=indent)`, nothing
/// escaped for HTML.
pub(super) fn tojson(value: &Value, options: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = options.get("indent")?;
    if options.get::<Option<bool>>("ensure_ascii")? == Some(true) {
        return Err(failed("tojson can't write ASCII only"));
    }
    options.assert_all_used()?;
    let mut written = Bounded(Vec::new());
    let outcome = match indent {
        None => {
            let mut serializer = serde_json::Serializer::with_formatter(&mut written, Spaced);
            value.serialize(&mut serializer)
        }
        Some(indent) => {
            let indent = " ".repeat(indent.min(16));
            let formatter = PrettyFormatter::with_indent(indent.as_bytes());
            let mut serializer = serde_json::Serializer::with_formatter(&mut written, formatter);
            value.serialize(&mut serializer)
        }
    };
    outcome.map_err(failed)?;
    String::from_utf8(written.0)
        .map(Value::from)
        .map_err(failed)
}

fn failed(detail: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidOperation, detail.to_string())
}

/// `[1, 2]` and `{"a": 1}`.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

/// A bounded buffer. Written, a value may be much longer than held: one list may hold another a
/// thousand times.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_TEXT_BYTES {
            return Err(io::Error::other("tojson of a value that is too large"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
