//! `cargo xtask test`: every check and every test.

use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::adding;
use crate::child;
use crate::fuzz;
use crate::lint;
use crate::module::{self, BENCH, Profile};
use crate::setup::{Browser, Kit, TARGET};
use crate::stage::Stages;
use crate::train;
use crate::versions::{CARGO_DENY, WASM_BINDGEN};
use crate::workspace::in_path;

/// Time limit of the tests in the browser, in seconds; its GPU may be a CPU.
const BROWSER_TIMEOUT: &str = "1800";

#[derive(Args)]
pub struct Options {
    /// Run these stages only
    #[arg(long, value_enum, num_args = 1.., value_delimiter = ',')]
    only: Vec<Stage>,
    /// Run the other stages even after one has failed
    #[arg(long)]
    keep_going: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// The tools that the other stages need
    Setup,
    /// Formatting
    Fmt,
    /// Lints of the code for this machine, which builds it
    Clippy,
    /// Lints of the code for the browser, which builds it
    ClippyWasm,
    /// Licences, sources and advisories of the dependencies
    Deny,
    /// Tests on this machine
    Native,
    /// The examples in the documentation
    Doc,
    /// The examples of docs/adding.md, in a copy of the checkout
    Adding,
    /// The readers of model files, linted, on inputs of a fuzzer, for some seconds
    Fuzz,
    /// The module and its JavaScript
    Wasm,
    /// The crate's tests in the browser
    Browser,
    /// Types and lints of the TypeScript
    NpmCheck,
    /// The package and the page
    NpmBuild,
    /// The page and the package in the browser
    NpmTest,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Fmt => "fmt",
            Self::Clippy => "clippy",
            Self::ClippyWasm => "clippy-wasm",
            Self::Deny => "deny",
            Self::Native => "native",
            Self::Doc => "doc",
            Self::Adding => "adding",
            Self::Fuzz => "fuzz",
            Self::Wasm => "wasm",
            Self::Browser => "browser",
            Self::NpmCheck => "npm-check",
            Self::NpmBuild => "npm-build",
            Self::NpmTest => "npm-test",
        }
    }

    fn run(self, kit: &Kit) -> Result<()> {
        match self {
            Self::Setup => kit.complete(),
            Self::Fmt => fmt(kit),
            Self::Clippy => clippy(kit),
            Self::ClippyWasm => clippy_wasm(kit),
            Self::Deny => deny(kit),
            Self::Native => native(kit),
            Self::Doc => doc(kit),
            Self::Adding => adding::run(kit),
            Self::Fuzz => fuzz::run(kit, &fuzz::Options::short()),
            Self::Wasm => module::build_linted(kit),
            Self::Browser => browser(kit),
            Self::NpmCheck => child::run(&mut kit.npm_script("check")?),
            Self::NpmBuild => child::run(&mut kit.npm_script("build")?),
            Self::NpmTest => npm_test(kit),
        }
    }
}

pub fn run(kit: &Kit, options: &Options) -> Result<()> {
    let mut stages = Stages::new(options.keep_going);
    for stage in Stage::value_variants() {
        if options.only.is_empty() || options.only.contains(stage) {
            stages.run(stage.name(), || stage.run(kit));
        }
    }
    stages.finish()
}

pub const LIBRARY: &str = "kvscope";
const XTASK: &str = "xtask";
// Packages and their features. Each by itself: together, cargo would give their common dependencies
// the features of both, and build burn twice.
const PACKAGES: [(&str, &[&str]); 2] = [(LIBRARY, &BENCH), (XTASK, &[])];

fn fmt(kit: &Kit) -> Result<()> {
    for manifest in ["Cargo.toml", fuzz::MANIFEST, train::MANIFEST] {
        let mut cargo = kit.cargo();
        cargo.args(["fmt", "--all", "--check", "--manifest-path", manifest]);
        child::run(&mut cargo)?;
    }
    // rustfmt follows `mod` items, but none that a macro declares, as the lists of formats,
    // architectures and rules do. `tests/adding` is no target of the checkout.
    let mut cargo = kit.cargo();
    cargo.args(["fmt", "--package", "kvscope", "--", "--check"]);
    for folder in ["src", "tests/adding"] {
        cargo.args(rust_files(&kit.workspace.root.join(folder))?);
    }
    child::run(&mut cargo)
}

/// All Rust files in `folder`.
fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

fn clippy(kit: &Kit) -> Result<()> {
    for (package, features) in PACKAGES {
        let mut cargo = linted(kit, package);
        cargo.args([
            "test",
            "--no-run",
            "--locked",
            "--package",
            package,
            "--all-targets",
        ]);
        child::run(cargo.args(features))?;
    }
    Ok(())
}

/// Cargo for `package`, with clippy as the compiler of the workspace's own packages.
pub fn linted(kit: &Kit, package: &str) -> Command {
    let mut cargo = kit.cargo();
    if package == XTASK {
        cargo.env("CARGO_TARGET_DIR", &kit.workspace.own_target);
    }
    lint::add(&mut cargo);
    cargo
}

/// The tests in the browser, built by `cargo` with all that the module is built from.
fn browser_tests(cargo: &mut Command) -> &mut Command {
    cargo
        .args(["test", "--locked", "--profile", Profile::Quick.name()])
        // Without the command, whose program would have the module's name.
        .args(["--package", LIBRARY, "--no-default-features"])
        .args(BENCH)
        .args(["--target", TARGET, "--test", "browser"])
}

fn clippy_wasm(kit: &Kit) -> Result<()> {
    module::drop_another_checkouts(kit, Profile::Quick)?;
    let mut cargo = kit.wasm()?.linted(&kit.workspace, &[])?;
    child::run(browser_tests(&mut cargo).arg("--no-run"))
}

fn deny(kit: &Kit) -> Result<()> {
    let program = kit.tool(&CARGO_DENY)?;
    let deny = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command
            .current_dir(&kit.workspace.root)
            .arg("--locked")
            .args(arguments);
        command
    };
    child::run(&mut deny(&[
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ]))?;
    match child::output(&mut deny(&["fetch", "db"])) {
        Ok(_) => child::run(&mut deny(&["check", "--disable-fetch", "advisories"])),
        Err(_) => {
            eprintln!(
                "  deny: advisories NOT checked: their database (github.com/rustsec) can't be reached"
            );
            Ok(())
        }
    }
}

/// Modules of the native tests that share a GPU, in two groups that take about as long.
///
/// The tests of a group run in one process. A device compiles each kernel once, which takes longer
/// than most tests themselves.
const SHARING: [&[&str]; 2] = [
    &["decode::fused::", "decode::reference::"],
    &["cache::", "command::", "eval::", "generate::", "model::"],
];

/// Tests of these modules that have a process each, on the browser's driver.
///
/// Some open a GPU of their own, whose thread would go on. Others run the real model, whose kernels
/// are made for that driver.
const APART: [&str; 5] = [
    "cache::memory::the_devices_allocator_agrees",
    "decode::fused::features_may_be_missing",
    "generate::loss::",
    "model::greedy::",
    "model::parity::",
];

fn native(kit: &Kit) -> Result<()> {
    let vulkan = kit.vulkan()?;
    let model = kit.model()?;
    for name in kit.absent_models() {
        let name = name.as_str();
        eprintln!(
            "  native: {name} is NOT compared with llama.cpp: only `cargo xtask model {name}` fetches it"
        );
    }
    let has_nextest = in_path("cargo-nextest").is_some();
    for (package, features) in PACKAGES {
        let mut cargo = linted(kit, package);
        if has_nextest {
            cargo.args(["nextest", "run", "--locked", "--package", package]);
            if package == LIBRARY {
                let [sharing, apart] = [SHARING.concat().join("|"), APART.join("|")];
                let rest = format!("not (binary(native) and test(/^({sharing})/))");
                cargo.args(["--filterset", &format!("{rest} or test(/^({apart})/)")]);
            }
        } else {
            cargo.args(["test", "--locked", "--package", package, "--tests"]);
        }
        cargo.args(features);
        vulkan.name_to(&mut cargo);
        model.name_to(&mut cargo);
        kit.name_models_to(&mut cargo);
        child::run(&mut cargo)?;
    }
    if !has_nextest {
        return Ok(());
    }
    let mut groups = SHARING.map(|modules| {
        let mut cargo = linted(kit, LIBRARY);
        cargo.args(["test", "--locked", "--package", LIBRARY]);
        cargo.args(BENCH).args(["--test", "native", "--"]);
        cargo.args(modules);
        cargo.args(APART.iter().flat_map(|test| ["--skip", test]));
        vulkan.name_keeper_to(&mut cargo);
        model.name_to(&mut cargo);
        kit.name_models_to(&mut cargo);
        cargo
    });
    child::run_together(&mut groups)
}

fn doc(kit: &Kit) -> Result<()> {
    let mut cargo = linted(kit, LIBRARY);
    cargo.args(["test", "--locked", "--doc", "--package", LIBRARY]);
    cargo.args(BENCH);
    kit.vulkan()?.name_to(&mut cargo);
    child::run(&mut cargo)
}

fn browser(kit: &Kit) -> Result<()> {
    let browser = kit.browser()?;
    // The program that runs tests in a browser comes with it.
    let wasm_bindgen = kit.tool(&WASM_BINDGEN)?;
    let mut cargo = kit.wasm()?.linted(&kit.workspace, &[wasm_bindgen])?;
    browser_tests(&mut cargo)
        .env(
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER",
            "wasm-bindgen-test-runner",
        )
        .env("CHROMEDRIVER", &browser.driver)
        .env("WASM_BINDGEN_TEST_TIMEOUT", BROWSER_TIMEOUT)
        .env(
            "WASM_BINDGEN_TEST_WEBDRIVER_JSON",
            capabilities(kit, browser)?,
        );
    kit.model()?.name_to(&mut cargo);
    child::run(&mut cargo)
}

/// The page and the package; the browser's text is compared with the native command's on the same
/// kind of adapter.
fn npm_test(kit: &Kit) -> Result<()> {
    let mut cargo = linted(kit, LIBRARY);
    cargo.args([
        "build",
        "--locked",
        "--package",
        LIBRARY,
        "--bin",
        "kvscope",
    ]);
    child::run(cargo.args(BENCH))?;
    let command = kit
        .workspace
        .target
        .join("debug")
        .join(format!("kvscope{EXE_SUFFIX}"));
    let mut npm = kit.npm_script("test")?;
    npm.env("KVSCOPE_COMMAND", command);
    kit.vulkan()?.name_to(&mut npm);
    kit.browser()?.name_to(&mut npm);
    kit.model()?.name_to(&mut npm);
    child::run(&mut npm)
}

/// The browser's flags from `webdriver.json`, with the browser that this machine has.
fn capabilities(kit: &Kit, browser: &Browser) -> Result<PathBuf> {
    let source = kit.workspace.root.join("webdriver.json");
    let text = fs::read_to_string(&source)
        .with_context(|| format!("{} can't be read", source.display()))?;
    let mut capabilities: Value =
        serde_json::from_str(&text).with_context(|| format!("{} is not JSON", source.display()))?;
    capabilities["goog:chromeOptions"]["binary"] = browser.program.to_string_lossy().into();
    let written = kit.workspace.cache_made()?.join("webdriver.json");
    fs::write(&written, capabilities.to_string())?;
    Ok(written)
}
