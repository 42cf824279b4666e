//! Paths of the checkout, and of the cache that outlives it.

use std::env;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The paths that every command works with.
pub struct Workspace {
    /// The checkout.
    pub root: PathBuf,
    /// Folder of builds shared per machine: `KVSCOPE_CACHE`, else `.cache/kvscope` in the user's
    /// home.
    pub cache: PathBuf,
    /// Cargo's build folder, outside the checkout so that a fresh clone does not build burn again.
    pub target: PathBuf,
    /// The build folder that this program lies in, where what it is built from is built already.
    pub own_target: PathBuf,
}

impl Workspace {
    pub fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("xtask lies inside the checkout")?
            .to_path_buf();
        let cache = match set("KVSCOPE_CACHE") {
            Some(cache) => cache,
            None => env::home_dir()
                .context("no home folder to keep the cache in: set KVSCOPE_CACHE to a folder")?
                .join(".cache")
                .join("kvscope"),
        };
        let target = set("CARGO_TARGET_DIR").unwrap_or_else(|| cache.join("target"));
        let target = root.join(target);
        Ok(Self {
            cache: root.join(cache),
            own_target: own_target().unwrap_or_else(|| target.clone()),
            target,
            root,
        })
    }

    /// Folder that `cargo install` puts the tools into.
    pub fn tools(&self) -> PathBuf {
        self.cache.join("tools")
    }

    /// The cache's folder, created if missing.
    pub fn cache_made(&self) -> Result<&Path> {
        std::fs::create_dir_all(&self.cache)
            .with_context(|| format!("{} can't be made", self.cache.display()))?;
        Ok(&self.cache)
    }

    /// The module and its JavaScript as the npm package ships them.
    pub fn package_wasm(&self) -> PathBuf {
        self.root.join("pkg").join("wasm")
    }

    /// The built page.
    pub fn page(&self) -> PathBuf {
        self.root.join("www").join("dist")
    }

    /// A program of the npm workspace.
    pub fn npm_program(&self, name: &str) -> PathBuf {
        let name = if cfg!(windows) {
            format!("{name}.cmd")
        } else {
            name.to_owned()
        };
        self.root.join("node_modules").join(".bin").join(name)
    }
}

/// The folder above `debug`, which cargo has built this program into. None on Windows, where a
/// program that runs can't be built anew.
fn own_target() -> Option<PathBuf> {
    let program = env::current_exe().ok().filter(|_| !cfg!(windows))?;
    let debug = program.parent()?;
    debug
        .ends_with("debug")
        .then(|| debug.parent().map(Path::to_path_buf))?
}

/// A path named by the environment; an empty value is none.
pub fn set(variable: &str) -> Option<PathBuf> {
    env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// The program `name` that a shell would start.
pub fn in_path(name: &str) -> Option<PathBuf> {
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(&file))
        .find(|path| path.is_file())
}

/// Removes a folder with all that is in it, if it is there.
pub fn remove_folder(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} can't be removed", folder.display()))
        }
        _ => Ok(()),
    }
}
