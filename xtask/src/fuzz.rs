//! `cargo xtask fuzz`: libFuzzer on the readers of model files.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use clap::{Args, ValueEnum};

use crate::child;
use crate::lint;
use crate::missing::Missing;
use crate::setup::Kit;
use crate::workspace::{Workspace, in_path, remove_folder, set};

/// Manifest of the targets' package, from the checkout.
pub const MANIFEST: &str = "fuzz/Cargo.toml";
/// Instrumentation that shows libFuzzer a run's branches and comparisons: those flags of
/// `cargo fuzz` that the stable compiler has. The readers have no unsafe code, so no sanitizer is
/// missed.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";
/// Longest input in bytes: several times the seeds.
const LONGEST: &str = "-max_len=8192";
/// No input of that length needs that many seconds or megabytes.
const LIMITS: [&str; 2] = ["-timeout=10", "-rss_limit_mb=1024"];

#[derive(Args)]
pub struct Options {
    /// Time to run, for each reader
    #[arg(long, default_value_t = 600)]
    seconds: u32,
    /// The reader to run; without it, one after the other
    #[arg(long, value_enum)]
    reader: Option<Reader>,
    /// Run this input once instead, such as one that was found before
    #[arg(long, requires = "reader")]
    input: Option<PathBuf>,
}

impl Options {
    /// Options as part of the tests: long enough to see that the targets work.
    pub fn short() -> Self {
        Self {
            seconds: 5,
            reader: None,
            input: None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Reader {
    Gguf,
    Safetensors,
}

impl Reader {
    /// Name of its target in `fuzz`.
    fn name(self) -> &'static str {
        match self {
            Self::Gguf => "gguf",
            Self::Safetensors => "safetensors",
        }
    }
}

pub fn run(kit: &Kit, options: &Options) -> Result<()> {
    let programs = build(kit)?;
    for reader in Reader::value_variants() {
        if options.reader.is_none_or(|only| only == *reader) {
            let program = programs.join(reader.name());
            match &options.input {
                Some(input) => child::run(Command::new(program).arg(input))?,
                None => search(&kit.workspace, *reader, &program, options.seconds)?,
            }
        }
    }
    Ok(())
}

/// Builds the targets, with lints, and gives the folder that they are in.
fn build(kit: &Kit) -> Result<PathBuf> {
    let compiler = set("CXX").or_else(|| ["c++", "g++", "clang++"].into_iter().find_map(in_path));
    if !cfg!(windows) && compiler.is_none() {
        return Err(Missing {
            what: "a C++ compiler".to_owned(),
            why: "libFuzzer is built from its sources",
            linux: "the package g++",
            macos: "`xcode-select --install`",
            windows: "Visual Studio's C++ tools",
        }
        .into());
    }
    let host = host()?;
    let mut cargo = kit.cargo();
    lint::add(&mut cargo);
    cargo
        .args(["build", "--locked", "--release", "--bins"])
        .args(["--manifest-path", MANIFEST])
        // With a target named, build scripts and macros are built without the flags.
        .args(["--target", &host])
        .env("CARGO_TARGET_DIR", target(kit))
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", COVERAGE);
    child::run(&mut cargo)?;
    Ok(target(kit).join(host).join("release"))
}

fn target(kit: &Kit) -> PathBuf {
    kit.workspace.target.join("fuzz")
}

/// Name of this machine's target.
fn host() -> Result<String> {
    let printed = child::output(Command::new("rustc").arg("-vV"))?;
    let host = printed.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc does not say what machine this is")?;
    Ok(host.to_owned())
}

/// Searches for a failing input with libFuzzer. Its corpus stays in the cache for the next time.
fn search(workspace: &Workspace, reader: Reader, program: &Path, seconds: u32) -> Result<()> {
    let folder = workspace.cache.join("fuzz").join(reader.name());
    let [corpus, seeds, found] = ["corpus", "seeds", "found"].map(|name| folder.join(name));
    remove_folder(&seeds)?;
    for folder in [&corpus, &seeds, &found] {
        fs::create_dir_all(folder)
            .with_context(|| format!("{} can't be made", folder.display()))?;
    }
    let dictionary = format!("fuzz/fuzz_targets/{}.dict", reader.name());
    let mut command = Command::new(program);
    command
        .env("KVSCOPE_FUZZ_SEEDS", &seeds)
        .args([LONGEST, "-print_final_stats=1"])
        .args(LIMITS)
        .arg(format!("-max_total_time={seconds}"))
        // The empty name adds a separator at the end: libFuzzer appends file names.
        .arg(option("-artifact_prefix=", &found.join("")))
        .arg(option("-dict=", &workspace.root.join(dictionary)))
        .args([&corpus, &seeds]);
    child::run(&mut command).map_err(|error| {
        anyhow!(
            "{error}. The input that fails is in {}; `cargo xtask fuzz --reader {} --input FILE` runs it again",
            found.display(),
            reader.name()
        )
    })
}

/// An option whose value is a path, in any encoding.
fn option(name: &str, path: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push(path);
    option
}
