//! The npm workspace: the page, the package, and their checks and tests.

use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use anyhow::Result;

use super::{already, doing};
use crate::child;
use crate::missing::Missing;
use crate::versions::{NODE, first_version};
use crate::workspace::{Workspace, in_path};

const STEP: &str = "npm packages";
const WHY: &str = "the page and the package are built and tested with them";

pub fn ensure(workspace: &Workspace) -> Result<()> {
    let root = &workspace.root;
    // npm writes the first when all else is in place.
    let installed = changed(root.join("node_modules").join(".package-lock.json"));
    let wanted = changed(root.join("package-lock.json"));
    let mut npm = npm(workspace)?;
    if installed.is_some() && installed >= wanted {
        already(STEP, "as package-lock.json says");
        return Ok(());
    }
    doing(STEP, "installing what package-lock.json says", WHY);
    child::run(npm.args(["ci", "--no-audit", "--no-fund"])).map_err(|error| {
        error.context(Missing {
            what: "the npm packages".to_owned(),
            why: WHY,
            linux: "a connection to the npm registry (`npm config get registry` says which)",
            macos: "the same",
            windows: "the same",
        })
    })
}

/// npm, run at the workspace's root.
pub fn npm(workspace: &Workspace) -> Result<Command> {
    let program = npm_program()
        .filter(|_| recent_node())
        .ok_or_else(|| Missing {
            what: format!("Node.js {}.{} or newer, with npm", NODE[0], NODE[1]),
            why: WHY,
            linux: "the package nodejs (with npm) of a recent distribution, or https://nodejs.org",
            macos: "`brew install node`, or https://nodejs.org",
            windows: "`winget install OpenJS.NodeJS`, or https://nodejs.org",
        })?;
    let mut command = Command::new(program);
    command.current_dir(&workspace.root);
    Ok(command)
}

fn npm_program() -> Option<PathBuf> {
    if cfg!(windows) {
        // A batch file there, found only by its full name.
        in_path("node")
            .and_then(|node| Some(node.parent()?.join("npm.cmd")))
            .filter(|npm| npm.is_file())
    } else {
        in_path("npm")
    }
}

fn recent_node() -> bool {
    child::output(Command::new("node").arg("--version"))
        .ok()
        .and_then(|printed| first_version(&printed))
        .is_some_and(|version| version.as_slice() >= NODE.as_slice())
}

fn changed(file: PathBuf) -> Option<SystemTime> {
    file.metadata().ok()?.modified().ok()
}
