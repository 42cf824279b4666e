//! Packages of Debian and its descendants.

use std::process::Command;

use anyhow::{Result, bail};

use crate::child;
use crate::workspace::in_path;

/// Returns whether this machine has apt and this user may use it without a password.
pub fn usable() -> bool {
    in_path("apt-get").is_some() && (is_root() || in_path("sudo").is_some())
}

/// Installs those of `packages` that are not installed.
pub fn install(packages: &[&str]) -> Result<()> {
    let absent: Vec<_> = packages
        .iter()
        .copied()
        .filter(|package| !installed(package))
        .collect();
    if absent.is_empty() {
        return Ok(());
    }
    if !usable() {
        bail!(
            "{} can't be installed: no apt-get, or neither root nor sudo",
            absent.join(", ")
        );
    }
    let mut install = apt_get();
    install
        .args(["install", "--yes", "--no-install-recommends"])
        .args(&absent);
    if child::run(&mut install).is_ok() {
        return Ok(());
    }
    // The lists of packages may be absent, as in a new container, or older than the archive.
    child::run(apt_get().arg("update"))?;
    child::run(&mut install)
}

fn installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${db:Status-Status}", package]);
    child::output(&mut query).is_ok_and(|status| status == "installed")
}

fn apt_get() -> Command {
    let mut command = if is_root() {
        Command::new("apt-get")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["--non-interactive", "apt-get"]);
        sudo
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

#[cfg(unix)]
fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}
