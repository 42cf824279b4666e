//! Paths of the records.

use std::path::{Path, PathBuf};

use super::Record;

fn folder() -> PathBuf {
    std::env::var_os("KVSCOPE_FIXTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"),
        PathBuf::from,
    )
}

/// Every record of the folder that `KVSCOPE_FIXTURES` names, by default `../shared/fixtures`, in
/// the order of their names.
pub fn all() -> impl Iterator<Item = Record> {
    let folder = folder();
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| {
        panic!(
            "no fixtures in {} ({error}): set KVSCOPE_FIXTURES",
            folder.display()
        )
    });
    let mut files: Vec<PathBuf> = files
        .map(|file| file.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|end| end == "safetensors"))
        .collect();
    files.sort();
    assert!(
        !files.is_empty(),
        "{} has no .safetensors files",
        folder.display()
    );
    files.into_iter().map(|path| {
        let name = path.file_name().expect("a file").to_string_lossy();
        Record::new(&name, &std::fs::read(&path).expect("a readable file"))
    })
}
