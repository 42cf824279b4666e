//! `cargo xtask parity`: the real models' choices and tokens against llama.cpp's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::child;
use crate::missing::Missing;
use crate::module::BENCH;
use crate::setup::{Kit, ModelName};
use crate::stage::Stages;
use crate::test::{LIBRARY, linted};
use crate::versions::{GGUF, NODE_LLAMA_CPP};
use crate::workspace::{remove_folder, set};

/// Variable that names the folder of records to the tests.
const REFERENCE: &str = "KVSCOPE_REFERENCE";
const RECORD: &str = "llamacpp_greedy.json";

#[derive(Args)]
pub struct Options {
    /// These models only; all, if nothing is said
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<ModelName>,
    /// Compare with the folder's recorded files alone, without running llama.cpp
    #[arg(long)]
    recorded: bool,
    /// Choices after each prompt that llama.cpp is asked for
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
}

pub fn run(kit: &Kit, options: &Options) -> Result<()> {
    let models: Vec<ModelName> = match options.only.is_empty() {
        true => ModelName::value_variants().to_vec(),
        false => options.only.clone(),
    };
    let files = models.iter().map(|&name| Ok(kit.model_named(name)?.file));
    let files: Vec<PathBuf> = files.collect::<Result<_>>()?;
    let mut records = Vec::new();
    let recorded = match set(REFERENCE) {
        Some(folder) => kit.workspace.root.join(folder),
        None => kit.workspace.root.join("../shared/reference"),
    };
    if recorded.join(RECORD).is_file() {
        records.push(("recorded", recorded));
    } else {
        eprintln!("  parity: no {RECORD} in {}", recorded.display());
    }
    if !options.recorded {
        records.push(("llama.cpp", record(kit, &files, options.steps)?));
    }
    if records.is_empty() {
        bail!("nothing to compare with: {REFERENCE}=... names a folder with {RECORD}");
    }
    let mut stages = Stages::new(true);
    for (origin, folder) in &records {
        for name in &models {
            let tests = format!("model::greedy::{}::parity", name.as_str());
            let stage = format!("{}, {origin}", name.as_str());
            stages.run(&stage, || compare(kit, &tests, folder));
        }
        stages.run(&format!("texts, {origin}"), || {
            compare(kit, "text::llamacpp::parity", folder)
        });
    }
    for name in models.iter().filter(|&&name| name != ModelName::Gemma) {
        let tests = format!("model::conversations::{}::parity", name.as_str());
        stages.run(&format!("{}, conversations", name.as_str()), || {
            compare(kit, &tests, &records[0].1)
        });
    }
    if models.contains(&ModelName::Gemma) {
        stages.run("gemma, memory", || {
            compare(kit, "cache::memory::parity", &records[0].1)
        });
    }
    stages.finish()
}

/// Runs the ignored tests of this name with the records of `folder`.
fn compare(kit: &Kit, tests: &str, folder: &Path) -> Result<()> {
    // As `test` builds them.
    let mut cargo = linted(kit, LIBRARY);
    cargo.args(["test", "--locked", "--package", LIBRARY]);
    cargo.args(BENCH).args(["--test", "native", "--"]);
    cargo.args([tests, "--ignored", "--nocapture", "--test-threads", "1"]);
    kit.vulkan()?.name_to(&mut cargo);
    kit.model()?.name_to(&mut cargo);
    kit.name_models_to(&mut cargo);
    cargo.env(REFERENCE, folder);
    child::run(&mut cargo)
}

/// Has llama.cpp record its choices and tokens in a folder of the build.
fn record(kit: &Kit, files: &[PathBuf], steps: u32) -> Result<PathBuf> {
    let packages = packages(kit)?;
    let folder = kit.workspace.target.join("parity");
    remove_folder(&folder)?;
    // Of these files alone, wherever they are.
    let models = folder.join("models");
    fs::create_dir_all(&models)?;
    for file in files {
        let name = file.file_name().context("the model has a name")?;
        link(file, &models.join(name))?;
    }
    let copies = copies(kit, files, &folder)?;
    let mut node = Command::new("node");
    node.current_dir(&kit.workspace.root)
        .arg("tests/native/model/llamacpp.mjs")
        .args([packages.as_os_str(), models.as_os_str(), folder.as_os_str()])
        .args([&steps.to_string(), MOST_PROMPTS])
        .arg(&copies);
    child::run(&mut node)?;
    // Gigabytes that nothing else reads.
    remove_folder(&copies)?;
    Ok(folder)
}

/// Prompts of each model, of those that there are.
const MOST_PROMPTS: &str = "100";

/// The folder of the files' copies in f32.
fn copies(kit: &Kit, files: &[PathBuf], folder: &Path) -> Result<PathBuf> {
    let library = kit.workspace.tools().join(GGUF);
    if !library.join("gguf").is_dir() {
        let mut pip = kit.python()?;
        pip.args([
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--target",
        ]);
        child::run(pip.arg(&library).arg(GGUF))?;
    }
    let copies = folder.join("f32");
    fs::create_dir_all(&copies)?;
    for file in files {
        let name = file.file_name().context("the model has a name")?;
        let mut python = kit.python()?;
        python.env("PYTHONPATH", &library);
        python.arg("tests/native/model/in_f32.py").arg(file);
        child::run(python.arg(copies.join(name)))?;
    }
    Ok(copies)
}

fn link(file: &Path, place: &Path) -> Result<()> {
    let linked = fs::hard_link(file, place).or_else(|_| fs::copy(file, place).map(|_| ()));
    linked.with_context(|| format!("{} can't be written", place.display()))
}

/// The folder that llama.cpp for Node.js is installed in.
fn packages(kit: &Kit) -> Result<PathBuf> {
    let folder = kit.workspace.tools().join(NODE_LLAMA_CPP);
    if folder
        .join("node_modules/node-llama-cpp/package.json")
        .is_file()
    {
        return Ok(folder);
    }
    fs::create_dir_all(&folder)?;
    let mut npm = kit.npm_itself()?;
    npm.args([
        "install",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefix",
    ]);
    child::run(npm.arg(&folder).arg(NODE_LLAMA_CPP)).map_err(|error| {
        error.context(Missing {
            what: NODE_LLAMA_CPP.to_owned(),
            why: "the models are compared with llama.cpp",
            linux: "a connection to the npm registry (`npm config get registry` says which)",
            macos: "the same",
            windows: "the same",
        })
    })?;
    Ok(folder)
}
