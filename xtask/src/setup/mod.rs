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
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use anyhow::{Result, bail};

pub use self::browser::Browser;
pub use self::model::{Model, Name as ModelName};
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
        if let Some(program) = self.tools.borrow().get(tool.program) {
            return Ok(program.clone());
        }
        let program = tools::ensure(&self.workspace, tool)?;
        tools::remove_builds(&self.workspace)?;
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
        once(&self.vulkan, || vulkan::ensure(&self.workspace))
    }

    /// The real model that the tests run.
    pub fn model(&self) -> Result<&Model> {
        once(&self.model, || {
            model::ensure(&self.workspace, ModelName::default())
        })
    }

    /// A real model by its name.
    pub fn model_named(&self, name: ModelName) -> Result<Model> {
        model::ensure(&self.workspace, name)
    }

    /// Tells `command`'s programs where the models are.
    pub fn name_models_to(&self, command: &mut Command) {
        Model::name_all_to(&self.workspace, command);
    }

    /// Models that were never fetched, of those that no setup fetches by itself.
    pub fn absent_models(&self) -> Vec<ModelName> {
        let mut absent = model::absent(&self.workspace);
        absent.retain(|name| *name != ModelName::default());
        absent
    }

    /// Installs the npm workspace as its lock file says.
    pub fn npm(&self) -> Result<()> {
        once(&self.npm, || npm::ensure(&self.workspace)).copied()
    }

    /// Python of this machine.
    pub fn python(&self) -> Result<Command> {
        let mut command = Command::new(model::python()?);
        command.current_dir(&self.workspace.root);
        Ok(command)
    }

    /// npm, run at the workspace's root.
    pub fn npm_itself(&self) -> Result<Command> {
        npm::npm(&self.workspace)
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
        let workspace = &self.workspace;
        // First, since it may add to the toolchain that compiles the tools.
        let wasm = self.wasm().map(|_| ());
        // The tools are compiled beside what is fetched and unpacked, which leaves processors idle.
        let (tools, others) = thread::scope(|scope| {
            let compile = |tool: &'static Tool| (tool, tools::ensure(workspace, tool));
            let tools = scope.spawn(move || [&WASM_BINDGEN, &CARGO_DENY].map(compile));
            let others = [
                self.npm(),
                self.browser().map(|_| ()),
                self.vulkan().map(|_| ()),
                self.model().map(|_| ()),
            ];
            (tools.join(), others)
        });
        let tools = match tools {
            Ok(tools) => tools.map(|(tool, program)| {
                self.tools.borrow_mut().insert(tool.program, program?);
                Ok(())
            }),
            Err(panic) => resume_unwind(panic),
        };
        let removed = tools::remove_builds(workspace);
        let steps = [wasm, removed].into_iter().chain(tools).chain(others);
        let missing: Vec<_> = steps.filter_map(Result::err).collect();
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
