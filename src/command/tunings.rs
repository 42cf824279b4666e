//! Tunings of the kernels, in a file of the user's cache. It is `tunings.json` in the folder of
//! `KVSCOPE_CACHE`, else in `.cache/kvscope` of the home folder. Without it the next run measures
//! again, so that no fault of the file is a failure.

use std::path::{Path, PathBuf};
use std::{env, fs};

use kvscope::fused::KnownTunings;

use super::file;

const FILE: &str = "tunings.json";

/// The folder of the user's cache; `None` without a home folder.
pub fn folder() -> Option<PathBuf> {
    let named = env::var_os("KVSCOPE_CACHE").filter(|named| !named.is_empty());
    let of_home = || Some(env::home_dir()?.join(".cache").join("kvscope"));
    named.map(PathBuf::from).or_else(of_home)
}

/// Reads the tunings in `folder`.
pub fn read(folder: &Path) -> KnownTunings {
    let text = fs::read_to_string(folder.join(FILE));
    KnownTunings::from_json(&text.unwrap_or_default())
}

/// Writes `known` to `folder`, atomically.
pub fn write(folder: &Path, known: &KnownTunings) {
    let path = folder.join(FILE);
    let written =
        fs::create_dir_all(folder).and_then(|()| file::replace(&path, known.to_json().as_bytes()));
    if let Err(error) = written {
        log::debug!("{} is not kept: {error}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use std::process;

    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let folder = env::temp_dir().join(format!("kvscope-tunings-{}-{name}", process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let folder = scratch("kept").join("made");
        let known = KnownTunings::default();
        write(&folder, &known);
        assert_eq!(read(&folder), known);
        let files: Vec<_> = fs::read_dir(&folder).unwrap().collect();
        assert_eq!(files.len(), 1);
        fs::write(folder.join(FILE), [0xff, 0xfe, 0]).unwrap();
        assert_eq!(read(&folder), known);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn where_nothing_can_be_kept_nothing_fails() {
        let file = scratch("file");
        fs::write(&file, "no folder").unwrap();
        write(&file, &KnownTunings::default());
        assert_eq!(read(&file), KnownTunings::default());
        fs::remove_file(file).unwrap();
    }
}
