//! Debian's own Rust for the web, where rustup can't reach its servers.
//!
//! Debian packages a recent Rust with its sources for building its browsers, but no standard
//! library for wasm32. That is built here, once, into the cache: a sysroot of its own with programs
//! that use it. Neither `/usr` nor any toolchain of rustup's is written to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::apt;
use super::wasm_target::{TARGET, has_standard_library, library_folder};
use crate::child;
use crate::workspace::{Workspace, remove_folder};

const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-clippy"];
const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const RUSTLIB: &str = "/usr/lib/rustlib";

/// The sysroot in the cache.
pub struct Distribution {
    root: PathBuf,
    linker: String,
}

impl Distribution {
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder to look for `rustc` and `cargo` in first.
    pub fn programs(&self) -> PathBuf {
        self.root.join("bin")
    }

    pub fn cargo(&self) -> PathBuf {
        self.programs().join("cargo")
    }

    /// Keeps `command` from using another Rust, and gives it this one's linker.
    pub fn only(&self, command: &mut Command) {
        for variable in [
            "RUSTUP_TOOLCHAIN",
            "RUSTC",
            "RUSTDOC",
            "CARGO",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
        ] {
            command.env_remove(variable);
        }
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", &self.linker);
    }
}

/// Returns whether the packages are installed or can be.
pub fn available() -> bool {
    cfg!(target_os = "linux") && (apt::usable() || Path::new(RUSTLIB).join("src").exists())
}

/// The result of an earlier [`build`] in the cache, if the distribution's Rust has not changed
/// since.
pub fn find(workspace: &Workspace) -> Option<Distribution> {
    let root = root(workspace);
    let current = has_standard_library(&root) && Path::new(CARGO).exists() && compiles(&root);
    let linker = linker().ok()?;
    (current && write_programs(&root).is_ok()).then_some(Distribution { root, linker })
}

pub fn build(workspace: &Workspace) -> Result<Distribution> {
    apt::install(&PACKAGES)?;
    let linker = linker()?;
    apt::install(&[&linker.replace("wasm-ld", "lld")])?;

    // Everything is built elsewhere and moved into place at the end: what is in place is complete.
    let root = root(workspace);
    let part = root.with_extension("part");
    remove_folder(&part)?;
    let libraries = library_folder(&part);
    fs::create_dir_all(&libraries)?;
    build_standard_library(&part.join("build"), &libraries)?;
    link_the_rest(&part)?;
    write_programs(&part)?;
    remove_folder(&part.join("build"))?;
    remove_folder(&root)?;
    fs::rename(&part, &root)?;

    if !compiles(&root) {
        bail!(
            "{} does not compile for {TARGET}",
            root.join("bin").join("rustc").display()
        );
    }
    Ok(Distribution { root, linker })
}

fn root(workspace: &Workspace) -> PathBuf {
    workspace.cache.join("rust-web")
}

/// The linker that belongs to this Rust's LLVM, as Debian names it: `wasm-ld-22`.
fn linker() -> Result<String> {
    let printed = child::output(Command::new(RUSTC).arg("-vV"))?;
    let major = llvm_major(&printed).with_context(|| format!("`{RUSTC} -vV` names no LLVM"))?;
    Ok(format!("wasm-ld-{major}"))
}

fn llvm_major(verbose_version: &str) -> Option<u32> {
    let version = verbose_version
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "))?;
    version.split('.').next()?.trim().parse().ok()
}

/// Compiles an empty program whose dependencies are the whole standard library, and keeps those.
fn build_standard_library(folder: &Path, libraries: &Path) -> Result<()> {
    fs::create_dir_all(folder.join("src"))?;
    fs::write(
        folder.join("Cargo.toml"),
        "[package]\nname = \"seed\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n",
    )?;
    fs::write(folder.join("src").join("lib.rs"), "#![no_std]\n")?;
    let mut command = Command::new(CARGO);
    command
        .current_dir(folder)
        .args(["build", "--release", "--quiet", "--target", TARGET])
        .arg("-Zbuild-std=std,panic_abort,proc_macro,test")
        .env("RUSTC", RUSTC)
        .env("RUSTC_BOOTSTRAP", "1") // `-Zbuild-std` is not stable yet
        .env("CARGO_TARGET_DIR", folder.join("target"));
    for variable in ["RUSTUP_TOOLCHAIN", "RUSTC_WRAPPER", "RUSTFLAGS"] {
        command.env_remove(variable);
    }
    child::run(&mut command)?;
    let built = folder
        .join("target")
        .join(TARGET)
        .join("release")
        .join("deps");
    for entry in fs::read_dir(&built)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let library = name.ends_with(".rlib") || name.ends_with(".rmeta");
        if library && !name.starts_with("libseed-") {
            fs::copy(entry.path(), libraries.join(&name))?;
        }
    }
    Ok(())
}

/// Links the rest of the distribution's sysroot, for this machine's own target.
#[cfg(unix)]
fn link_the_rest(sysroot: &Path) -> Result<()> {
    for entry in fs::read_dir(RUSTLIB)? {
        let entry = entry?;
        if entry.file_name() != TARGET {
            let link = sysroot.join("lib").join("rustlib").join(entry.file_name());
            std::os::unix::fs::symlink(entry.path(), link)?;
        }
    }
    Ok(())
}

/// Writes the programs that work with the sysroot `root`. They find it relative to themselves, so
/// that it can be moved into place or reached through a link.
#[cfg(unix)]
fn write_programs(root: &Path) -> Result<()> {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let programs = root.join("bin");
    fs::create_dir_all(&programs)?;
    for name in ["rustc", "rustdoc"] {
        let path = programs.join(name);
        let script =
            format!("#!/bin/sh\nexec /usr/bin/{name} --sysroot \"${{0%/bin/{name}}}\" \"$@\"\n");
        if fs::read_to_string(&path).is_ok_and(|present| present == script) {
            continue;
        }
        let part = programs.join(format!("{name}.part"));
        fs::write(&part, script)?;
        fs::set_permissions(&part, fs::Permissions::from_mode(0o755))?;
        fs::rename(&part, &path)?;
    }
    for name in ["cargo", "clippy-driver"] {
        let link = programs.join(name);
        if fs::symlink_metadata(&link).is_err() {
            symlink(Path::new("/usr/bin").join(name), link)?;
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn link_the_rest(_sysroot: &Path) -> Result<()> {
    bail!("only Debian and its descendants have this")
}

#[cfg(not(unix))]
fn write_programs(_root: &Path) -> Result<()> {
    bail!("only Debian and its descendants have this")
}

/// Returns whether the sysroot's library matches the compiler's version: an upgrade of the
/// distribution makes it useless.
fn compiles(root: &Path) -> bool {
    let mut rustc = Command::new(RUSTC);
    rustc
        .arg("--sysroot")
        .arg(root)
        .args([
            "--target",
            TARGET,
            "--crate-type",
            "lib",
            "--crate-name",
            "empty",
            "--emit",
            "metadata",
            "-o",
        ])
        .arg(root.join("empty.rmeta"))
        .arg("-"); // the source is standard input: nothing
    child::output(&mut rustc).is_ok()
}

#[cfg(test)]
mod tests {
    use super::llvm_major;

    #[test]
    fn the_linker_follows_the_compilers_llvm() {
        let printed = "rustc 1.96.0 (ac68faa20 2026-05-25)\nbinary: rustc\nhost: x86_64\nLLVM version: 22.1.8\n";
        assert_eq!(llvm_major(printed), Some(22));
        assert_eq!(llvm_major("rustc 1.96.0"), None);
        assert_eq!(llvm_major("LLVM version: unknown"), None);
    }
}
