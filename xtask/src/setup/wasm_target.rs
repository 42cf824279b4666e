//! A Rust that compiles for `wasm32-unknown-unknown`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::distribution::{self, Distribution};
use super::{already, doing};
use crate::child;
use crate::lint;
use crate::missing::Missing;
use crate::workspace::{Workspace, in_path};

pub const TARGET: &str = "wasm32-unknown-unknown";

const STEP: &str = "wasm32 target";
const WHY: &str = "the browser runs the crate as WebAssembly";

/// Rust that compiles for the browser.
pub enum WasmRust {
    /// This checkout's own toolchain.
    Active,
    /// The distribution's, with a standard library built from its sources.
    Distribution(Distribution),
}

impl WasmRust {
    /// Cargo with this Rust; what it starts finds `programs`.
    pub fn cargo(&self, workspace: &Workspace, programs: &[PathBuf]) -> Result<Command> {
        let mut command = Command::new(match self {
            Self::Active => PathBuf::from("cargo"),
            Self::Distribution(distribution) => distribution.cargo(),
        });
        let mut folders: Vec<PathBuf> = Vec::new();
        if let Self::Distribution(distribution) = self {
            folders.push(distribution.programs());
            distribution.only(&mut command);
        }
        folders.extend(
            programs
                .iter()
                .filter_map(|program| Some(program.parent()?.to_path_buf())),
        );
        folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        let path = env::join_paths(folders).context("PATH can't hold the cache's folder")?;
        command
            .current_dir(&workspace.root)
            .env("PATH", path)
            .env("CARGO_TARGET_DIR", &workspace.target);
        Ok(command)
    }

    /// [`Self::cargo`] with clippy as the compiler of the workspace's own packages.
    pub fn linted(&self, workspace: &Workspace, programs: &[PathBuf]) -> Result<Command> {
        let mut command = self.cargo(workspace, programs)?;
        lint::add(&mut command);
        if let Self::Distribution(distribution) = self {
            // Clippy is no script that says where its standard libraries are.
            command.env("SYSROOT", distribution.root());
        }
        Ok(command)
    }
}

pub fn ensure(workspace: &Workspace) -> Result<WasmRust> {
    let sysroot = active_sysroot(workspace)?;
    if has_standard_library(&sysroot) {
        already(STEP, format_args!("in {}", sysroot.display()));
        return Ok(WasmRust::Active);
    }
    if let Some(distribution) = distribution::find(workspace) {
        already(
            STEP,
            format_args!(
                "the distribution's Rust, in {}",
                distribution.root().display()
            ),
        );
        return Ok(WasmRust::Distribution(distribution));
    }
    if in_path("rustup").is_some() {
        doing(STEP, "adding it to the active toolchain with rustup", WHY);
        let mut add = Command::new("rustup");
        add.current_dir(&workspace.root)
            .args(["target", "add", TARGET])
            .env("RUST_BACKTRACE", "0");
        match child::output(&mut add) {
            Ok(_) if has_standard_library(&sysroot) => return Ok(WasmRust::Active),
            Ok(_) => eprintln!("  setup: {STEP}: rustup has it elsewhere"),
            Err(error) => {
                let error = error.to_string();
                let line = error.lines().find(|line| line.starts_with("error: "));
                let line = line.unwrap_or("rustup failed");
                eprintln!("  setup: {STEP}: not that way: {line}");
            }
        }
    }
    if distribution::available() {
        doing(
            STEP,
            "building it from the distribution's Rust, about a minute, once a machine",
            WHY,
        );
        return distribution::build(workspace)
            .map(WasmRust::Distribution)
            .map_err(|error| {
                let missing = missing();
                error.context(missing)
            });
    }
    Err(missing().into())
}

fn missing() -> Missing {
    Missing {
        what: format!("Rust's standard library for {TARGET}"),
        why: WHY,
        linux: "`rustup target add wasm32-unknown-unknown`, or a distribution's package for its own Rust: rustc-web and \
                rust-web-src (Debian), rust-std-static-wasm32-unknown-unknown (Fedora), rust-wasm (Arch)",
        macos: "`rustup target add wasm32-unknown-unknown`, with Rust from https://rustup.rs",
        windows: "`rustup target add wasm32-unknown-unknown`, with Rust from https://rustup.rs",
    }
}

fn active_sysroot(workspace: &Workspace) -> Result<PathBuf> {
    let mut rustc = Command::new("rustc");
    let printed = child::output(
        rustc
            .current_dir(&workspace.root)
            .args(["--print", "sysroot"]),
    )?;
    Ok(PathBuf::from(printed.trim()))
}

/// Folder of the libraries that a sysroot links into a program for wasm32.
pub fn library_folder(sysroot: &Path) -> PathBuf {
    sysroot.join("lib").join("rustlib").join(TARGET).join("lib")
}

/// Returns whether all of the standard library that the crate and its tests link is there.
pub fn has_standard_library(sysroot: &Path) -> bool {
    const CRATES: [&str; 6] = ["core", "alloc", "std", "panic_abort", "proc_macro", "test"];
    let Ok(entries) = std::fs::read_dir(library_folder(sysroot)) else {
        return false;
    };
    let files: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    CRATES.iter().all(|name| {
        let start = format!("lib{name}-");
        files
            .iter()
            .any(|file| file.starts_with(&start) && file.ends_with(".rlib"))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn half_a_standard_library_is_none() {
        let sysroot = env::temp_dir().join(format!("kvscope-sysroot-{}", std::process::id()));
        let folder = library_folder(&sysroot);
        assert!(!has_standard_library(&sysroot));

        fs::create_dir_all(&folder).expect("the temporary folder can be written");
        let files = ["core", "alloc", "std", "panic_abort", "proc_macro", "test"];
        for name in files {
            assert!(!has_standard_library(&sysroot), "without {name}");
            fs::write(folder.join(format!("lib{name}-0123abcd.rlib")), "").expect("as above");
        }
        assert!(has_standard_library(&sysroot));

        // `std_detect` is another crate, and metadata alone can't be linked.
        fs::remove_file(folder.join("libstd-0123abcd.rlib")).expect("it was written above");
        fs::write(folder.join("libstd_detect-0123abcd.rlib"), "").expect("as above");
        fs::write(folder.join("libstd-0123abcd.rmeta"), "").expect("as above");
        assert!(!has_standard_library(&sysroot));
        fs::remove_dir_all(&sysroot).expect("it was made above");
    }
}
