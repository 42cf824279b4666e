//! Atomic writing of files: after any failure there is the old one or the new one.

use std::path::Path;
use std::{fs, io, process};

use serde::Serialize;

/// Writes `bytes` to the file at `path`.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    // Another process may be writing too.
    name.push(format!(".{}", process::id()));
    let part = path.with_file_name(name);
    let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}

/// Writes `value` to the file at `path` as JSON, indented for people.
pub fn replace_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut json = serde_json::to_vec_pretty(value)?;
    json.push(b'\n');
    replace(path, &json)
}
