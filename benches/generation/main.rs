//! The native half of `cargo xtask bench`: prefill and decode steps of a real model on this
//! machine's GPU, and single kernels. It follows a plan of `cargo xtask bench`, which reads the
//! results. `KVSCOPE_BENCH` names the folder of both.

#![cfg(not(target_family = "wasm"))]

mod plan;
mod prefill;
mod products;
mod run;
mod spots;
mod thin;
mod turns;
mod widen;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use kvscope::device::{Gpu, GpuOptions};
use kvscope::engine::{Engine, OpenOptions};
use pollster::block_on;
use serde_json::json;

use plan::Plan;
use spots::Spot;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let Some(folder) = env::var_os("KVSCOPE_BENCH").map(PathBuf::from) else {
        eprintln!("generation: `cargo xtask bench` runs this");
        return Ok(());
    };
    let plan: Plan = serde_json::from_slice(&fs::read(folder.join("plan.json"))?)?;
    let gpu = Gpu::open_blocking(GpuOptions::default())?;
    eprintln!("native: {}, {}", gpu.report().name, gpu.report().driver);
    let engine = block_on(Engine::open(&plan.model, OpenOptions::on(gpu.clone())))?;

    let spots = spots::all(&plan, engine.model().config().head_dim)?;
    if plan.browser {
        write(&spots, &engine, &folder)?;
    }
    let prefill = prefill::run(&plan, &engine, &gpu)?;
    let turns = turns::run(&plan, &engine)?;
    let spots = run::all(&spots, &engine, &gpu)?;
    let chosen = products::chosen(&engine, &gpu)?;
    let products = products::run(plan.products, &gpu, chosen)?;
    let formats = products::formats(plan.formats, &gpu, chosen)?;
    let measured = json!({
        "adapter": gpu.report(), "prefill": prefill, "spots": spots, "products": products,
        "formats": formats, "turns": turns,
    });
    fs::write(folder.join("native.json"), measured.to_string())?;
    Ok(())
}

/// Writes the list of spots, and each one's cache, for the browser, which measures at the same
/// spots.
fn write(spots: &[Spot], engine: &Engine, folder: &Path) -> Outcome<()> {
    let caches = folder.join("caches");
    fs::create_dir_all(&caches)?;
    for spot in spots {
        let bytes = widen::to_model(spot, engine.model().config())?;
        fs::write(caches.join(format!("{}.bin", spot.id)), bytes)?;
    }
    fs::write(folder.join("spots.json"), serde_json::to_vec(spots)?)?;
    Ok(())
}
