//! The GPU of native tests: the machine's own, or those in software.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::{already, apt, doing};
use crate::missing::Missing;
use crate::workspace::{Workspace, set};

const STEP: &str = "native GPU";
const WHY: &str = "native tests run the GPU kernels too";

/// Variable that makes the Vulkan loader use one driver only.
const DRIVER_VARIABLE: &str = "VK_ICD_FILENAMES";

/// The Vulkan driver of native code.
pub struct Vulkan {
    /// The driver's description; `None` leaves the choice to the system.
    driver: Option<PathBuf>,
    /// Mesa's description and the folder of its compiled kernels, beside a browser's `driver`.
    mesa: Option<[PathBuf; 2]>,
}

impl Vulkan {
    pub fn name_to(&self, command: &mut Command) {
        if let Some(driver) = &self.driver {
            command.env(DRIVER_VARIABLE, driver);
        }
    }

    /// As [`Self::name_to`], but Mesa's in the place of a browser's in software. It keeps the
    /// kernels that it has compiled, for other processes and the next time.
    pub fn name_keeper_to(&self, command: &mut Command) {
        let Some([driver, kernels]) = &self.mesa else {
            return self.name_to(command);
        };
        command
            .env(DRIVER_VARIABLE, driver)
            .env("MESA_SHADER_CACHE_DIR", kernels);
    }
}

pub fn ensure(workspace: &Workspace) -> Result<Vulkan> {
    if let Some(driver) = set("KVSCOPE_VULKAN_ICD") {
        already(
            STEP,
            format_args!("{}, which KVSCOPE_VULKAN_ICD names", driver.display()),
        );
        return Ok(Vulkan {
            driver: Some(driver),
            mesa: None,
        });
    }
    let chosen = [DRIVER_VARIABLE, "VK_DRIVER_FILES"]
        .into_iter()
        .find(|variable| set(variable).is_some());
    if let Some(variable) = chosen {
        already(STEP, format_args!("as {variable} says"));
        return Ok(SYSTEMS);
    }
    if !cfg!(target_os = "linux") {
        already(STEP, "the system's");
        return Ok(SYSTEMS);
    }
    if hardware() {
        already(
            STEP,
            "this machine's; KVSCOPE_VULKAN_ICD names another driver",
        );
        return Ok(SYSTEMS);
    }
    if mesa().is_none() || !has_loader() {
        doing(STEP, "installing Mesa's software Vulkan driver", WHY);
        if let Err(error) = apt::install(&["mesa-vulkan-drivers", "libvulkan1"]) {
            eprintln!("  setup: {STEP}: {error:#}");
        }
    }
    let of_browser = of_browser();
    let driver = of_browser.clone().or_else(mesa).filter(|_| has_loader());
    let driver = driver.ok_or_else(|| Missing {
        what: "a Vulkan driver".to_owned(),
        why: WHY,
        linux: "the package mesa-vulkan-drivers (Debian, Fedora) or vulkan-swrast (Arch), or \
                KVSCOPE_VULKAN_ICD=... naming a driver's .json file",
        macos: "nothing, Metal is there",
        windows: "nothing, Direct3D is there",
    })?;
    already(STEP, format_args!("in software, {}", driver.display()));
    let kernels = workspace.cache.join("kernels");
    Ok(Vulkan {
        driver: Some(driver),
        mesa: of_browser.and_then(|_| Some([mesa()?, kernels])),
    })
}

/// The choice of the system.
const SYSTEMS: Vulkan = Vulkan {
    driver: None,
    mesa: None,
};

/// The browser's own driver that computes on the CPU. It comes first: the same kernels then run on
/// the same adapter natively and in the browser.
fn of_browser() -> Option<PathBuf> {
    const BROWSERS: [&str; 4] = [
        "/usr/lib/chromium",
        "/usr/lib64/chromium-browser",
        "/opt/google/chrome",
        "/opt/chromium.org/chromium",
    ];
    let drivers = BROWSERS.iter();
    let mut drivers = drivers.map(|folder| Path::new(folder).join("vk_swiftshader_icd.json"));
    drivers.find(|path| path.is_file())
}

/// Mesa's driver that computes on the CPU.
fn mesa() -> Option<PathBuf> {
    let drivers = Path::new("/usr/share/vulkan/icd.d").read_dir().ok()?;
    let mut drivers = drivers.filter_map(|entry| Some(entry.ok()?.path()));
    drivers.find(|path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("lvp_icd."))
    })
}

/// Returns whether the kernel has a device for rendering.
fn hardware() -> bool {
    let render_node = Path::new("/dev/dri").read_dir().is_ok_and(|entries| {
        entries
            .filter_map(Result::ok)
            .any(|entry| entry.file_name().to_string_lossy().starts_with("renderD"))
    });
    render_node || Path::new("/dev/nvidia0").exists()
}

/// Returns whether programs find the library that loads drivers.
fn has_loader() -> bool {
    const NAME: &str = "libvulkan.so.1";
    let folders = ["/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib"].map(PathBuf::from);
    // Debian keeps a folder for each machine type below these.
    let machines = [
        "x86_64-linux-gnu",
        "aarch64-linux-gnu",
        "arm-linux-gnueabihf",
        "riscv64-linux-gnu",
    ];
    folders.iter().any(|folder| {
        folder.join(NAME).exists()
            || machines
                .iter()
                .any(|machine| folder.join(machine).join(NAME).exists())
    })
}
