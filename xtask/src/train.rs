//! `cargo xtask train`: the model of the trace task, trained by a crate of its own.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::child;
use crate::setup::Kit;

/// Manifest of the crate, from the checkout.
pub const MANIFEST: &str = "xtask/train/Cargo.toml";

#[derive(Args)]
pub struct Options {
    /// Folder of checkpoints, curve and model [default: `train` in kvscope's cache]. Training goes
    /// on from the checkpoint in it
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Lint the crate and run its tests instead. `cargo xtask test` does not, since burn would be
    /// built once more
    #[arg(long, conflicts_with = "folder")]
    check: bool,
    /// Further options: `cargo xtask train -- --help` has them
    #[arg(last = true)]
    rest: Vec<String>,
}

pub fn run(kit: &Kit, options: &Options) -> Result<()> {
    if options.check {
        return check(kit);
    }
    let folder = match &options.folder {
        Some(folder) => folder.clone(),
        None => kit.workspace.cache_made()?.join("train"),
    };
    let mut cargo = cargo(kit, "run");
    cargo.arg("--release").arg("--").arg("--folder").arg(folder);
    // Each half of a batch has a thread. Within it, sums in one order reproduce the weights.
    cargo.env("RAYON_NUM_THREADS", "1");
    child::run(cargo.args(&options.rest))
}

fn check(kit: &Kit) -> Result<()> {
    let mut clippy = cargo(kit, "clippy");
    child::run(clippy.args(["--all-targets", "--", "-D", "warnings"]))?;
    child::run(&mut cargo(kit, "test"))
}

fn cargo(kit: &Kit, command: &str) -> Command {
    let mut cargo = kit.cargo();
    cargo
        .args([command, "--locked", "--manifest-path", MANIFEST])
        // It uses other features of burn than kvscope does.
        .env("CARGO_TARGET_DIR", kit.workspace.target.join("train"));
    cargo
}
