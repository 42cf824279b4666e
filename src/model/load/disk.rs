//! Files on disk: their sets, and their bytes as a whole.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::formats::WeightsError;

/// Most bytes of a file that is held as a whole; tokenizers have some ten million.
const MAX_BYTES: u64 = 64 << 20;

/// All files of the set that `path` belongs to by its name, in order; itself if it belongs to none.
pub(super) fn set(path: &Path, names: fn(&str) -> Option<Vec<String>>) -> Vec<PathBuf> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.and_then(names).map_or_else(
        || vec![path.to_owned()],
        |names| names.iter().map(|name| path.with_file_name(name)).collect(),
    )
}

/// The bytes of a file; `None` if there is no such file.
pub(super) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, WeightsError> {
    // A file that may not be read is an error.
    match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        _ => read(path).map(Some),
    }
}

/// The bytes of a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, WeightsError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| unreadable(path, 0, &error))?;
    if bytes.len() as u64 > MAX_BYTES {
        let what = path.display().to_string();
        let expected = format!("at most {MAX_BYTES} bytes");
        return Err(WeightsError::malformed(
            0,
            what,
            "longer than that",
            expected,
        ));
    }
    Ok(bytes)
}

/// The error of a file that fails at `offset`.
pub(super) fn unreadable(path: &Path, offset: u64, error: &io::Error) -> WeightsError {
    WeightsError::Read {
        offset,
        detail: format!("{}: {error}", path.display()),
    }
}
