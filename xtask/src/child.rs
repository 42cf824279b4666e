//! Programs started by this one. None of them outlives it.

use std::env;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio, exit};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result, anyhow, bail};

use crate::descendants;

/// Exit code that a shell reports after Ctrl-C.
const INTERRUPTED: i32 = 130;

/// Children that run now. Held while one is started, so that none slips in while all are being
/// ended.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

fn running() -> MutexGuard<'static, Vec<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Installs a handler: Ctrl-C, or a request to terminate, ends this program and everything it has
/// started.
pub fn end_with_children() -> Result<()> {
    descendants::adopt_orphans();
    ctrlc::set_handler(|| {
        let children = running();
        eprintln!("\ninterrupted");
        descendants::end(&children);
        exit(INTERRUPTED);
    })
    .context("Ctrl-C could not be caught")
}

/// Runs `command` to its end with its output shown. Anything but success is an error.
pub fn run(command: &mut Command) -> Result<()> {
    eprintln!("  $ {}", shown(command));
    let mut child = start(command)?;
    ended(command, finish(&mut child)?)
}

/// Runs `commands` beside each other. The output of each is shown whole, once it has ended.
/// Anything but the success of all is an error.
pub fn run_together(commands: &mut [Command]) -> Result<()> {
    let ends: Vec<Result<()>> = thread::scope(|scope| {
        let running = commands
            .iter_mut()
            .map(|command| scope.spawn(|| run_shown_whole(command)));
        let running: Vec<_> = running.collect();
        let ends = running.into_iter().map(|thread| {
            let end = thread.join();
            end.unwrap_or_else(|_| bail!("a thread that ran a command panicked"))
        });
        ends.collect()
    });
    let failures: Vec<String> = ends
        .into_iter()
        .filter_map(|end| Some(format!("{:#}", end.err()?)))
        .collect();
    if !failures.is_empty() {
        bail!("{}", failures.join("; "));
    }
    Ok(())
}

fn run_shown_whole(command: &mut Command) -> Result<()> {
    let (mut reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let child = start(command);
    // The command keeps its ends of the pipe, which is read until all of them are closed.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = child?;
    let mut text = Vec::new();
    let read = reader.read_to_end(&mut text);
    let status = finish(&mut child)?;
    let mut stream = io::stderr().lock();
    // Output that can't be shown is no failure of the command.
    let _ = writeln!(stream, "  $ {}", shown(command));
    let _ = stream.write_all(&text);
    drop(stream);
    read.with_context(|| format!("`{}` could not be read", shown(command)))?;
    ended(command, status)
}

/// Runs `command` with nothing shown, for attempts whose failure is expected. Returns its output,
/// or the reason of the failure.
pub fn output(command: &mut Command) -> Result<String> {
    let mut child = start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let errors = child.stderr.take().map(|mut stream| {
        thread::spawn(move || {
            let mut text = Vec::new();
            // An unreadable error stream only costs the message its detail.
            let _ = stream.read_to_end(&mut text);
            text
        })
    });
    let mut text = Vec::new();
    let read = match child.stdout.take() {
        Some(mut stream) => stream.read_to_end(&mut text).map(|_| ()),
        None => Ok(()),
    };
    let status = finish(&mut child)?;
    let errors = errors
        .and_then(|reader| reader.join().ok())
        .unwrap_or_default();
    read.with_context(|| format!("`{}` could not be read", shown(command)))?;
    ended(command, status).map_err(|error| match String::from_utf8_lossy(&errors).trim() {
        "" => error,
        errors => anyhow!("{error}: {errors}"),
    })?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn start(command: &mut Command) -> Result<Child> {
    without_cargos_own(command);
    command.stdin(Stdio::null());
    // A group of its own: Ctrl-C in a terminal then reaches this program alone, which ends the
    // others in order.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    let mut children = running();
    let child = command
        .spawn()
        .with_context(|| format!("`{}` could not be started", shown(command)))?;
    children.push(child.id());
    Ok(child)
}

fn finish(child: &mut Child) -> Result<ExitStatus> {
    let status = child.wait();
    // Waits here for ever if everything is being ended: the children's failures are then no news.
    running().retain(|&id| id != child.id());
    Ok(status?)
}

fn ended(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// The command as a user would type it.
fn shown(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let name = program
        .file_stem()
        .unwrap_or(program.as_os_str())
        .to_string_lossy()
        .into_owned();
    let arguments = command
        .get_args()
        .map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once(name)
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Removes what `cargo run` adds to a program's environment. Otherwise it would differ from a
/// shell's, and cargo would build everything again.
fn without_cargos_own(command: &mut Command) {
    const PREFIXES: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(&*name);
        }
    }
    let built = env::current_exe().ok();
    let built = built.as_deref().and_then(Path::parent);
    for variable in ["LD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"] {
        let Some(value) = env::var_os(variable) else {
            continue;
        };
        let kept: Vec<_> = env::split_paths(&value)
            .filter(|folder| !added_by_cargo(folder, built))
            .collect();
        match env::join_paths(&kept) {
            Ok(kept) if !kept.is_empty() => command.env(variable, kept),
            _ => command.env_remove(variable),
        };
    }
}

/// Returns whether `cargo run` put `folder` on the library path. Such folders are in the one that
/// this program was `built` in, or are the toolchain's.
fn added_by_cargo(folder: &Path, built: Option<&Path>) -> bool {
    built.is_some_and(|built| folder.starts_with(built))
        || folder
            .components()
            .any(|part| part.as_os_str() == "rustlib" || part.as_os_str() == "toolchains")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cargos_library_folders_are_left_out() {
        let built = Some(Path::new("/clone/target/debug"));
        for added in [
            "/clone/target/debug",
            "/clone/target/debug/deps",
            "/home/me/.rustup/toolchains/stable/lib",
            "/usr/lib/rustlib/x86_64-unknown-linux-gnu/lib",
        ] {
            assert!(added_by_cargo(Path::new(added), built), "{added}");
        }
        for other in [
            "/usr/local/cuda/lib64",
            "/clone/target/debugger",
            "/opt/target",
        ] {
            assert!(!added_by_cargo(Path::new(other), built), "{other}");
        }
    }

    #[test]
    fn a_failure_says_what_failed_and_what_it_printed() {
        let error = output(Command::new("rustc").arg("no-such-file.rs")).expect_err("no such file");
        let text = format!("{error:#}");
        assert!(text.contains("`rustc no-such-file.rs` failed"), "{text}");
        assert!(text.contains("couldn't read"), "{text}");
        let error = run(&mut Command::new("no-such-program")).expect_err("no such program");
        assert!(format!("{error:#}").starts_with("`no-such-program` could not be started"));
    }

    #[test]
    fn what_a_program_prints_is_returned() {
        let printed = output(Command::new("rustc").arg("--version")).expect("rustc built this");
        assert!(printed.starts_with("rustc "), "{printed}");
    }

    #[test]
    fn of_commands_beside_each_other_every_failure_is_told() {
        let version = || {
            let mut command = Command::new("rustc");
            command.arg("--version");
            command
        };
        run_together(&mut [version(), version()]).expect("two successes");
        let mut commands = [version(), Command::new("no-program"), version()];
        commands[2].arg("--no-such-option");
        let error = format!(
            "{:#}",
            run_together(&mut commands).expect_err("two failures")
        );
        for failure in ["no-program", "rustc --version --no-such-option"] {
            assert!(error.contains(failure), "{error}");
        }
    }
}
