//! `cargo xtask train`: the model of the trace task, trained by a crate of its own.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::child;
use crate::setup::Kit;

/// The crate's manifest, from the checkout.
pub const MANIFEST: &str = "train/Cargo.toml";

#[derive(Args)]
pub struct Options {
    /// Where checkpoints, the curve and the model go [default: `train` in kvscope's cache]; training goes on from the
    /// checkpoint that is there
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Further options: `cargo xtask train -- --help` has them
    #[arg(last = true)]
    rest: Vec<String>,
}

pub fn run(kit: &Kit, options: &Options) -> Result<()> {
    let folder = match &options.folder {
        Some(folder) => folder.clone(),
        None => kit.workspace.cache_made()?.join("train"),
    };
    let mut cargo = cargo(kit, "run");
    cargo.arg("--release").arg("--").arg("--folder").arg(folder);
    // Each half of a batch has a thread; within it, sums in one order give the same weights again.
    cargo.env("RAYON_NUM_THREADS", "1");
    child::run(cargo.args(&options.rest))
}

/// Lints the crate, its tests included. They are not run with kvscope's: for them burn would have to be built once more.
pub fn clippy(kit: &Kit) -> Result<()> {
    let mut cargo = cargo(kit, "clippy");
    child::run(cargo.args(["--all-targets", "--", "-D", "warnings"]))
}

fn cargo(kit: &Kit, command: &str) -> Command {
    let mut cargo = kit.cargo();
    cargo
        .args([command, "--locked", "--manifest-path", MANIFEST])
        // Its features of burn are others than kvscope's.
        .env("CARGO_TARGET_DIR", kit.workspace.target.join("train"));
    cargo
}
