//! The crate as a WebAssembly module with its JavaScript.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::child;
use crate::setup::{Kit, TARGET};
use crate::versions::WASM_BINDGEN;
use crate::workspace::remove_folder;

/// Compilation of the module, by the name of cargo's profile.
#[derive(Clone, Copy)]
pub enum Profile {
    /// Quick to build, for tests, benches and the demo.
    Quick,
    /// Small, for publication.
    Ship,
}

impl Profile {
    pub fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Ship => "ship",
        }
    }

    /// The published module leaves out the functions that benches call.
    fn features(self) -> &'static [&'static str] {
        match self {
            Self::Quick => &BENCH,
            Self::Ship => &[],
        }
    }
}

/// Adds to the crate what only benches use. Tests are built with it too, so that both are one
/// build.
pub const BENCH: [&str; 2] = ["--features", "bench"];

/// Builds `pkg/wasm`. `finish` receives the folder before it is moved into place.
pub fn build(kit: &Kit, profile: Profile, finish: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let cargo = kit.wasm()?.cargo(&kit.workspace, &[])?;
    build_by(cargo, kit, profile, finish)
}

/// Builds `pkg/wasm` for tests, with lints.
pub fn build_linted(kit: &Kit) -> Result<()> {
    let cargo = kit.wasm()?.linted(&kit.workspace, &[])?;
    build_by(cargo, kit, Profile::Quick, |_| Ok(()))
}

fn build_by(
    mut cargo: Command,
    kit: &Kit,
    profile: Profile,
    finish: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let workspace = &kit.workspace;
    let wasm_bindgen = kit.tool(&WASM_BINDGEN)?;
    drop_another_checkouts(kit, profile)?;
    cargo.args([
        "build",
        "--locked",
        "--package",
        "kvscope",
        "--lib",
        "--no-default-features",
        "--target",
        TARGET,
    ]);
    cargo.args(["--profile", profile.name()]);
    child::run(cargo.args(profile.features()))?;

    let place = workspace.package_wasm();
    let part = place.with_extension("part");
    remove_folder(&part)?;
    let mut bindgen = Command::new(wasm_bindgen);
    bindgen
        .args(["--target", "web", "--out-name", "kvscope", "--out-dir"])
        .arg(&part);
    child::run(bindgen.arg(built(kit, profile).join("kvscope.wasm")))?;
    finish(&part)?;
    remove_folder(&place)?;
    fs::rename(&part, &place).with_context(|| format!("{} can't be put in place", place.display()))
}

/// Name of the module in `pkg/wasm`.
pub const FILE: &str = "kvscope_bg.wasm";

/// Checkouts share the target folder, where a module's name has no hash in it. Cargo only looks
/// whether it has ever built this one, and would take another checkout's for it.
pub fn drop_another_checkouts(kit: &Kit, profile: Profile) -> Result<()> {
    let owner = built(kit, profile).join("kvscope.checkout");
    let own = kit.workspace.root.display().to_string();
    if fs::read_to_string(&owner).is_ok_and(|owner| owner == own) {
        return Ok(());
    }
    let mut clean = kit.wasm()?.cargo(&kit.workspace, &[])?;
    clean.args(["clean", "--quiet", "--locked", "--package", "kvscope"]);
    clean.args(["--target", TARGET, "--profile", profile.name()]);
    child::run(&mut clean)?;
    fs::create_dir_all(built(kit, profile))?;
    fs::write(&owner, own).with_context(|| format!("{} can't be written", owner.display()))
}

/// Folder that cargo leaves the module in.
pub fn built(kit: &Kit, profile: Profile) -> PathBuf {
    kit.workspace.target.join(TARGET).join(profile.name())
}
