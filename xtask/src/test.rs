//! `cargo xtask test`: every check and every test.

use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::child;
use crate::fuzz;
use crate::module::{self, BENCH, Profile};
use crate::setup::{Browser, Kit, TARGET};
use crate::stage::Stages;
use crate::train;
use crate::versions::{CARGO_DENY, WASM_BINDGEN, WASM_PACK};
use crate::workspace::in_path;

/// How long the tests of one file may take in the browser, in seconds; its GPU may be a CPU.
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
    /// What the other stages need
    Setup,
    /// Formatting
    Fmt,
    /// Lints of the code for this machine
    Clippy,
    /// Lints of the code for the browser
    ClippyWasm,
    /// Licences, sources and advisories of the dependencies
    Deny,
    /// Tests on this machine
    Native,
    /// The examples in the documentation
    Doc,
    /// The readers of model files on inputs of a fuzzer, for some seconds
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
            Self::Fuzz => fuzz::run(kit, &fuzz::Options::short()),
            Self::Wasm => module::build(kit, Profile::Quick, |_| Ok(())),
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

// Packages and their features. Each by itself: together, cargo would give their common dependencies
// the features of both, and build burn twice.
const PACKAGES: [(&str, &[&str]); 2] = [("kvscope", &BENCH), ("xtask", &[])];

fn fmt(kit: &Kit) -> Result<()> {
    for manifest in ["Cargo.toml", fuzz::MANIFEST, train::MANIFEST] {
        let mut cargo = kit.cargo();
        cargo.args(["fmt", "--all", "--check", "--manifest-path", manifest]);
        child::run(&mut cargo)?;
    }
    Ok(())
}

fn clippy(kit: &Kit) -> Result<()> {
    for (package, features) in PACKAGES {
        let mut cargo = linted(kit);
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
    fuzz::clippy(kit)
}

/// `-D warnings`, as `cargo clippy` hands on what comes after its `--`. No compiler says if clippy stops to understand it, but a
/// test here.
const DENY_WARNINGS: &str = "-D__CLIPPY_HACKERY__warnings";

/// Cargo with clippy as the compiler of the workspace's own packages, so that lints and tests are one build: `cargo clippy`
/// checks all dependencies, for the tests to compile them once more.
fn linted(kit: &Kit) -> Command {
    let mut cargo = kit.cargo();
    cargo
        .env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver")
        .env("CLIPPY_ARGS", DENY_WARNINGS);
    cargo
}

fn clippy_wasm(kit: &Kit) -> Result<()> {
    let mut clippy = kit.wasm()?.clippy(&kit.workspace)?;
    // The profile that the tests are built with: build scripts and macros are then shared with
    // them.
    clippy.args([
        "--locked",
        "--profile",
        Profile::Quick.name(),
        "--package",
        "kvscope",
        "--no-default-features",
        "--target",
        TARGET,
        "--lib",
        "--tests",
    ]);
    clippy.args(BENCH);
    child::run(clippy.args(["--", "-D", "warnings"]))
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

fn native(kit: &Kit) -> Result<()> {
    let vulkan = kit.vulkan()?;
    let model = kit.model()?;
    for (package, features) in PACKAGES {
        let mut cargo = linted(kit);
        if in_path("cargo-nextest").is_some() {
            cargo.args(["nextest", "run", "--locked", "--package", package]);
        } else {
            cargo.args(["test", "--locked", "--package", package, "--tests"]);
        }
        cargo.args(features);
        vulkan.name_to(&mut cargo);
        model.name_to(&mut cargo);
        child::run(&mut cargo)?;
    }
    Ok(())
}

fn doc(kit: &Kit) -> Result<()> {
    let mut cargo = linted(kit);
    cargo.args(["test", "--locked", "--doc", "--package", "kvscope"]);
    cargo.args(BENCH);
    kit.vulkan()?.name_to(&mut cargo);
    child::run(&mut cargo)
}

fn browser(kit: &Kit) -> Result<()> {
    let browser = kit.browser()?;
    let wasm_pack = kit.tool(&WASM_PACK)?;
    let wasm_bindgen = kit.tool(&WASM_BINDGEN)?;
    let programs = [wasm_pack.clone(), wasm_bindgen];
    let mut command = kit
        .wasm()?
        .ready(Command::new(wasm_pack), &kit.workspace, &programs)?;
    command.args([
        "test",
        "--mode",
        "no-install",
        "--headless",
        "--chrome",
        "--chromedriver",
    ]);
    command.arg(&browser.driver);
    // Without the command, whose program would have the module's name.
    command.args([".", "--locked", "--no-default-features"]);
    command.args(BENCH);
    command.args(["--profile", Profile::Quick.name()]);
    command.args(["--test", "web*"]);
    kit.model()?.name_to(&mut command);
    command.env("WASM_BINDGEN_TEST_TIMEOUT", BROWSER_TIMEOUT);
    command.env(
        "WASM_BINDGEN_TEST_WEBDRIVER_JSON",
        capabilities(kit, browser)?,
    );
    child::run(&mut command)
}

/// The page and the package; the browser's text is compared with the native command's on the same kind of adapter.
fn npm_test(kit: &Kit) -> Result<()> {
    let mut cargo = linted(kit);
    cargo.args([
        "build",
        "--locked",
        "--package",
        "kvscope",
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What clippy says of a comparison with `true`, which is its lint and not the compiler's.
    fn linted_comparison(arguments: &str) -> Result<String> {
        let name = format!("kvscope-lint-{}-{}.rs", std::process::id(), arguments.len());
        let source = std::env::temp_dir().join(name);
        fs::write(&source, "pub fn same(it: bool) -> bool { it == true }\n")?;
        let mut clippy = Command::new("clippy-driver");
        clippy
            .args(["--crate-type", "lib", "--crate-name", "comparison"])
            .args(["--emit", "metadata", "-o"])
            .arg(source.with_extension("rmeta"))
            .arg(&source)
            .env("CLIPPY_ARGS", arguments);
        let said = child::output(&mut clippy);
        for file in [source.with_extension("rmeta"), source] {
            // A failed compilation leaves none of the first.
            let _ = fs::remove_file(file);
        }
        said
    }

    #[test]
    fn a_lint_s_warning_fails_the_build() {
        linted_comparison("").expect("a warning is no error");
        let error = linted_comparison(DENY_WARNINGS).expect_err("warnings are denied");
        let said = format!("{error:#}");
        assert!(
            said.contains("bool_comparison") || said.contains("bool-comparison"),
            "{said}"
        );
    }
}
