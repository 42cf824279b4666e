//! `cargo xtask build`: the npm package and the page as they are published.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::child;
use crate::module::{self, Profile};
use crate::setup::Kit;

/// WebAssembly features that the compiler uses beyond the first version: wasm-opt may use no
/// others.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Builds `pkg` and `www/dist`. Returns the published module as it was before its names were
/// stripped.
pub fn run(kit: &Kit) -> Result<PathBuf> {
    kit.npm()?;
    let named = module::built(kit, Profile::Ship).join("kvscope.named.wasm");
    module::build(kit, Profile::Ship, |folder| {
        optimise(kit, &folder.join(module::FILE), &named)
    })?;
    child::run(&mut kit.npm_script("build")?)?;
    println!("package: {}", kit.workspace.root.join("pkg").display());
    println!("page: {}", kit.workspace.page().display());
    Ok(named)
}

/// Shrinks `shipped` in two steps: the first keeps the names, in `named`, for `cargo xtask size`.
fn optimise(kit: &Kit, shipped: &Path, named: &Path) -> Result<()> {
    let wasm_opt = |from: &Path, to: &Path, what: &[&str]| {
        let mut command = Command::new(kit.workspace.npm_program("wasm-opt"));
        child::run(
            command
                .arg(from)
                .args(what)
                .args(FEATURES)
                .arg("--output")
                .arg(to),
        )
    };
    wasm_opt(shipped, named, &["-Oz", "--debuginfo"])?;
    wasm_opt(named, shipped, &["--strip-debug", "--strip-producers"])?;
    fs::metadata(shipped).with_context(|| format!("wasm-opt left no {}", shipped.display()))?;
    Ok(())
}
