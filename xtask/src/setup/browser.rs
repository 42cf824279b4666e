//! A browser with WebGPU, and the driver that tests control it by.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::{already, apt, doing};
use crate::child;
use crate::missing::Missing;
use crate::versions::first_version;
use crate::workspace::{in_path, set};

const STEP: &str = "browser";
const WHY: &str = "the tests run on WebGPU, which only a browser has";

/// A Chromium or Chrome and its driver.
pub struct Browser {
    pub program: PathBuf,
    pub driver: PathBuf,
}

impl Browser {
    /// Tells `command`'s programs the browser and driver to use.
    pub fn name_to(&self, command: &mut Command) {
        command
            .env("CHROME", &self.program)
            .env("CHROMEDRIVER", &self.driver);
    }
}

pub fn ensure() -> Result<Browser> {
    let mut found = find();
    if found.is_err() && set("CHROME").is_none() && set("CHROMEDRIVER").is_none() && apt::usable() {
        doing(
            STEP,
            "installing the distribution's chromium and its driver",
            WHY,
        );
        if let Err(error) = apt::install(&["chromium", "chromium-driver"]) {
            eprintln!("  setup: {STEP}: {error:#}");
        }
        found = find();
    }
    let browser = found.map_err(|what| Missing {
        what,
        why: WHY,
        linux: "`apt-get install chromium chromium-driver`, or CHROME=... and CHROMEDRIVER=... naming both",
        macos: "`brew install --cask google-chrome chromedriver`, or CHROME=... and CHROMEDRIVER=... naming both",
        windows: "`winget install Google.Chrome Chromium.ChromeDriver`, or CHROME and CHROMEDRIVER naming both",
    })?;
    already(
        STEP,
        format_args!(
            "{}, driven by {}",
            browser.program.display(),
            browser.driver.display()
        ),
    );
    Ok(browser)
}

/// The first browser that has a driver of the same release; else the reason of the failure.
fn find() -> Result<Browser, String> {
    let browsers = named("CHROME", installed_browsers)?;
    let drivers = named("CHROMEDRIVER", installed_drivers)?;
    if browsers.is_empty() {
        return Err("Chromium or Chrome".to_owned());
    }
    if drivers.is_empty() {
        return Err(format!("ChromeDriver, for {}", browsers[0].display()));
    }
    let mut mismatch = String::new();
    for program in browsers {
        let browser_release = release(&program);
        for driver in &drivers {
            let driver_release = release(driver);
            match (browser_release, driver_release) {
                (Some(browser), Some(driver)) if browser != driver => {
                    mismatch = format!(
                        "a ChromeDriver {browser} for {} (found {driver})",
                        program.display()
                    );
                }
                // One of them reports no version: the driver itself will fail if they differ.
                _ => {
                    return Ok(Browser {
                        program,
                        driver: driver.clone(),
                    });
                }
            }
        }
    }
    Err(mismatch)
}

/// Programs named by the environment, else the installed ones.
fn named(variable: &str, installed: fn() -> Vec<PathBuf>) -> Result<Vec<PathBuf>, String> {
    match set(variable) {
        None => Ok(installed()),
        Some(path) if path.is_file() => Ok(vec![path]),
        Some(path) => Err(format!("{}, which {variable} names", path.display())),
    }
}

fn installed_browsers() -> Vec<PathBuf> {
    const NAMES: [&str; 6] = [
        "chromium",
        "google-chrome",
        "google-chrome-stable",
        "chromium-browser",
        "chrome",
        "microsoft-edge",
    ];
    let mut found: Vec<PathBuf> = if cfg!(windows) {
        Vec::new() // Chrome is not in PATH there
    } else {
        NAMES.iter().filter_map(|name| in_path(name)).collect()
    };
    if cfg!(target_os = "macos") {
        let home = std::env::home_dir().unwrap_or_default();
        for folder in [Path::new("/Applications"), &home.join("Applications")] {
            for name in ["Google Chrome", "Chromium"] {
                found.push(folder.join(format!("{name}.app/Contents/MacOS/{name}")));
            }
        }
    }
    if cfg!(windows) {
        for folder in ["ProgramFiles", "ProgramFiles(x86)", "LocalAppData"]
            .into_iter()
            .filter_map(set)
        {
            found.push(
                folder
                    .join("Google")
                    .join("Chrome")
                    .join("Application")
                    .join("chrome.exe"),
            );
            found.push(
                folder
                    .join("Chromium")
                    .join("Application")
                    .join("chrome.exe"),
            );
        }
    }
    found.retain(|path| path.is_file());
    found
}

fn installed_drivers() -> Vec<PathBuf> {
    let others = [
        "/usr/lib/chromium/chromedriver",
        "/usr/lib/chromium-browser/chromedriver",
        "/opt/homebrew/bin/chromedriver",
        "/usr/local/bin/chromedriver",
    ];
    let others = others
        .into_iter()
        .map(PathBuf::from)
        .filter(|path| path.is_file());
    in_path("chromedriver").into_iter().chain(others).collect()
}

/// The major version of a browser or driver, if it says.
fn release(program: &Path) -> Option<u32> {
    if cfg!(windows) && program.file_stem().is_some_and(|name| name == "chrome") {
        // Asked for its version, Chrome would open a window there. It keeps its parts in a folder
        // named after the version.
        let entries = program.parent()?.read_dir().ok()?;
        let versions = entries.filter_map(|entry| first_version(entry.ok()?.file_name().to_str()?));
        return versions.map(|version| version[0]).max();
    }
    let printed = child::output(Command::new(program).arg("--version")).ok()?;
    first_version(&printed).map(|version| version[0])
}
