//! Command-line tools that cargo builds.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, anyhow};

use super::{already, doing};
use crate::child;
use crate::missing::Missing;
use crate::versions::{Tool, first_version};
use crate::workspace::{Workspace, in_path, remove_folder};

/// Finds `tool` at its pinned version, or installs it into the cache. Build artefacts stay until
/// [`remove_builds`], for tools with common dependencies.
pub fn ensure(workspace: &Workspace, tool: &Tool) -> Result<PathBuf> {
    let folder = workspace.tools();
    let ours = folder
        .join("bin")
        .join(format!("{}{}", tool.program, std::env::consts::EXE_SUFFIX));
    let step = format!("{} {}", tool.program, tool.version);
    for program in [Some(ours.clone()), in_path(tool.program)]
        .into_iter()
        .flatten()
    {
        if is_at(&program, tool.version) {
            already(&step, program.display());
            return Ok(program);
        }
    }
    doing(
        &step,
        "building it with cargo, some minutes, once a machine",
        tool.why,
    );
    // A published lock file can name a release that this machine's registry no longer serves, or
    // not yet.
    install(workspace, tool, true)
        .or_else(|_| install(workspace, tool, false))
        .map_err(|error| {
            let what = anyhow!(Missing {
                what: step.clone(),
                why: tool.why,
                linux: "a connection to crates.io, or any other build of that version in PATH",
                macos: "the same",
                windows: "the same",
            });
            error.context(what)
        })?;
    if !is_at(&ours, tool.version) {
        return Err(anyhow!("{} was installed but does not run", ours.display()));
    }
    Ok(ours)
}

fn install(workspace: &Workspace, tool: &Tool, locked: bool) -> Result<()> {
    let folder = workspace.tools();
    let mut command = Command::new("cargo");
    command
        .current_dir(workspace.cache_made()?)
        .args([
            "install",
            tool.package,
            "--version",
            tool.version,
            "--quiet",
            "--force",
            "--root",
        ])
        .arg(&folder)
        .arg("--target-dir")
        .arg(builds(workspace))
        // Each is built once and run a few times: its speed matters less than its build time.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", tool.opt_level)
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "false");
    if locked {
        command.arg("--locked");
    }
    if !tool.default_features {
        command.arg("--no-default-features");
    }
    child::run(&mut command)
}

fn builds(workspace: &Workspace) -> PathBuf {
    workspace.tools().join("build")
}

/// Removes the tools' build artefacts.
pub fn remove_builds(workspace: &Workspace) -> Result<()> {
    remove_folder(&builds(workspace))
}

fn is_at(program: &Path, version: &str) -> bool {
    program.is_file()
        && child::output(Command::new(program).arg("--version"))
            .is_ok_and(|printed| first_version(&printed) == first_version(version))
}
