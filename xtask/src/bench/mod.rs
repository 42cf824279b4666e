//! `cargo xtask bench`: speed of prefill and decoding of the real model, on this machine's GPU and
//! in the browser.

mod measured;
mod passes;
mod plan;
mod sections;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::child;
use crate::module::{self, Profile};
use crate::setup::Kit;
use crate::workspace::remove_folder;
use measured::Measured;

#[derive(Args)]
pub struct Options {
    /// Measure in headless Chromium too, beside wllama, and count what each step asks of WebGPU
    #[arg(long)]
    browser: bool,
    /// Fewer contexts, rounds and steps
    #[arg(long)]
    quick: bool,
    /// The lengths to decode at, in tokens, from 32 on
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(32..))]
    contexts: Vec<u32>,
    /// The prompts to take in, in tokens; those of `--contexts`, if nothing is said
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    prompts: Vec<u32>,
    /// The prefill methods to take them in with; all, if nothing is said
    #[arg(long, value_enum, value_delimiter = ',')]
    methods: Vec<Method>,
    /// Measure these only
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Decode steps that count, in each round
    #[arg(long)]
    steps: Option<usize>,
    /// Rounds, in each of which all policies have their turn
    #[arg(long)]
    rounds: Option<usize>,
    /// Repeats all of it so often, natively and in the browser by turns; their rounds are put
    /// together
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    passes: u32,
    /// The model instead of the one that the tests run, a GGUF file
    #[arg(long)]
    model: Option<PathBuf>,
    /// File for the measurements; by default `bench.json` or `bench-browser.json` in the target
    /// folder
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Taking prompts in
    Prefill,
    /// Decode steps at each context
    Decode,
    /// Decode steps under a full cache in each storage type, at each context
    Storage,
    /// Cost of selection, for each of SCOPE's strategies
    Selection,
    /// The time of a step along a long generation
    Curve,
    /// The products and the attention of a decode step by themselves, natively only
    Products,
    /// Turns of a conversation that a session holds, natively only
    Turns,
    /// wllama, in the browser only
    Wllama,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Method {
    /// All of the prompt
    Full,
    /// SnapKV, of prompts that are longer than what it keeps
    Snapkv,
}

impl Options {
    fn takes(&self, method: Method) -> bool {
        self.methods.is_empty() || self.methods.contains(&method)
    }

    fn has(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

pub fn run(kit: &Kit, options: &Options) -> Result<()> {
    let model = match &options.model {
        Some(model) => std::path::absolute(model)?,
        None => kit.model()?.file.clone(),
    };
    let folder = kit.workspace.target.join("bench");
    remove_folder(&folder)?;
    fs::create_dir_all(&folder)?;
    let plan = plan::of(options, &model);
    fs::write(folder.join("plan.json"), plan.to_string())?;

    if options.browser {
        // Before any measurement: a machine that has just built is slower for a while.
        module::build(kit, Profile::Quick, |_| Ok(()))?;
    }
    let (mut natives, mut browsers) = (None, None);
    for pass in 1..=options.passes {
        if options.passes > 1 {
            eprintln!("pass {pass} of {}", options.passes);
        }
        native(kit, &folder)?;
        passes::add(&mut natives, read(&folder.join("native.json"))?);
        if options.browser {
            browser(kit, &folder)?;
            passes::add(&mut browsers, read(&folder.join("browser.json"))?);
            // Caches of every length: gigabytes that nothing else reads.
            remove_folder(&folder.join("caches"))?;
        }
    }
    let (native, browser) = (natives.context("nothing was measured")?, browsers);
    let sections = sections::of(
        &typed(&native)?,
        browser.as_ref().map(typed).transpose()?.as_ref(),
    );
    println!(
        "{}",
        table::shown(&plan, &native, browser.as_ref(), &sections)
    );

    let place = options.json.clone().unwrap_or_else(|| {
        let name = match options.browser {
            true => "bench-browser.json",
            false => "bench.json",
        };
        kit.workspace.target.join(name)
    });
    let all = json!({ "plan": plan, "native": native, "browser": browser, "sections": sections });
    fs::write(&place, serde_json::to_vec_pretty(&all)?)
        .with_context(|| format!("{} can't be written", place.display()))?;
    eprintln!("kvscope: {}", place.display());
    Ok(())
}

/// The variable that tells both halves the folder of the plan.
const FOLDER: &str = "KVSCOPE_BENCH";

fn native(kit: &Kit, folder: &Path) -> Result<()> {
    let mut cargo = kit.cargo();
    // Another profile would need a build of burn of its own; the GPU's time is the same in all.
    cargo.args(["bench", "--locked", "--package", "kvscope"]);
    cargo.args(module::BENCH);
    cargo.args(["--profile", "dev", "--bench", "generation"]);
    kit.vulkan()?.name_to(&mut cargo);
    child::run(cargo.env(FOLDER, folder))
}

fn browser(kit: &Kit, folder: &Path) -> Result<()> {
    let mut npm = kit.npm_script("bench")?;
    kit.browser()?.name_to(&mut npm);
    child::run(npm.env(FOLDER, folder))
}

fn read(file: &Path) -> Result<Value> {
    let text = fs::read(file).with_context(|| format!("{} can't be read", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", file.display()))
}

fn typed(value: &Value) -> Result<Measured> {
    serde_json::from_value(value.clone()).context("what was measured is not as it should be")
}
