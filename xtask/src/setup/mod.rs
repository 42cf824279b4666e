//! Setup of the commands' requirements. Every step looks first, and leaves alone what is there
//! already.

mod apt;
mod browser;
mod distribution;
mod model;
mod npm;
mod tools;
mod vulkan;
mod wasm_target;

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

pub use self::browser::Browser;
pub use self::model::Model;
pub use self::vulkan::Vulkan;
pub use self::wasm_target::{TARGET, WasmRust};
use crate::versions::{CARGO_DENY, Tool, WASM_BINDGEN};
use crate::workspace::Workspace;

/// The commands' requirements. Each is set up when first used, so that no command waits for
/// another's.
pub struct Kit {
    pub workspace: Workspace,
    wasm: OnceCell<WasmRust>,
    tools: RefCell<HashMap<&'static str, PathBuf>>,
    npm: OnceCell<()>,
    browser: OnceCell<Browser>,
    vulkan: OnceCell<Vulkan>,
    model: OnceCell<Model>,
}

impl Kit {
    pub fn new(workspace: Workspace) -> Self {
        Self {
            workspace,
            wasm: OnceCell::new(),
            tools: RefCell::default(),
            npm: OnceCell::new(),
            browser: OnceCell::new(),
            vulkan: OnceCell::new(),
            model: OnceCell::new(),
        }
    }

    /// Rust that compiles for wasm32.
    pub fn wasm(&self) -> Result<&WasmRust> {
        once(&self.wasm, || wasm_target::ensure(&self.workspace))
    }

    /// The program of `tool`, at its pinned version.
    pub fn tool(&self, tool: &'static Tool) -> Result<PathBuf> {
        let program = self.tool_built(tool)?;
        tools::remove_builds(&self.workspace)?;
        Ok(program)
    }

    fn tool_built(&self, tool: &'static Tool) -> Result<PathBuf> {
        if let Some(program) = self.tools.borrow().get(tool.program) {
            return Ok(program.clone());
        }
        let program = tools::ensure(&self.workspace, tool)?;
        self.tools
            .borrow_mut()
            .insert(tool.program, program.clone());
        Ok(program)
    }

    /// A browser and the driver of the same release.
    pub fn browser(&self) -> Result<&Browser> {
        once(&self.browser, browser::ensure)
    }

    /// The GPU of native code.
    pub fn vulkan(&self) -> Result<&Vulkan> {
        once(&self.vulkan, vulkan::ensure)
    }

    /// The real model that the tests run.
    pub fn model(&self) -> Result<&Model> {
        once(&self.model, || model::ensure(&self.workspace))
    }

    /// Installs the npm workspace as its lock file says.
    pub fn npm(&self) -> Result<()> {
        once(&self.npm, || npm::ensure(&self.workspace)).copied()
    }

    /// A command that runs a script of the npm workspace's root.
    pub fn npm_script(&self, script: &str) -> Result<Command> {
        self.npm()?;
        let mut command = npm::npm(&self.workspace)?;
        command.args(["run", script]);
        Ok(command)
    }

    /// Cargo for this machine itself.
    pub fn cargo(&self) -> Command {
        let mut command = Command::new("cargo");
        command
            .current_dir(&self.workspace.root)
            .env("CARGO_TARGET_DIR", &self.workspace.target);
        command
    }

    /// Sets up everything. A failing step does not stop the others.
    pub fn complete(&self) -> Result<()> {
        let steps = [
            self.wasm().map(|_| ()),
            self.tool_built(&WASM_BINDGEN).map(|_| ()),
            self.tool_built(&CARGO_DENY).map(|_| ()),
            tools::remove_builds(&self.workspace),
            self.npm(),
            self.browser().map(|_| ()),
            self.vulkan().map(|_| ()),
            self.model().map(|_| ()),
        ];
        let missing: Vec<_> = steps.into_iter().filter_map(Result::err).collect();
        for error in &missing {
            eprintln!("  {error:#}");
        }
        match missing.len() {
            0 => Ok(()),
            1 => bail!("one thing is missing, see above"),
            several => bail!("{several} things are missing, see above"),
        }
    }
}

fn once<T>(cell: &OnceCell<T>, get: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = get()?;
    Ok(cell.get_or_init(|| value))
}

/// Reports a step with nothing to do.
fn already(step: &str, found: impl std::fmt::Display) {
    eprintln!("  setup: {step}: {found}");
}

/// Reports what a step does, and why.
fn doing(step: &str, what: impl std::fmt::Display, why: &str) {
    eprintln!("  setup: {step}: {what}, because {why}");
}
