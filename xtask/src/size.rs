//! `cargo xtask size`: the published module's size, and its contributors.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::contributors::{self, Share};
use crate::module;
use crate::setup::Kit;
use crate::ship;

/// Entries shown of each list.
const LARGEST: usize = 20;

/// llama.cpp's module in wllama, raw and gzipped, in bytes: the cost to a page elsewhere.
const LLAMA_CPP: [usize; 2] = [8_800_000, 2_400_000];

/// Examines what `cargo xtask build` publishes, or `module` as it is.
pub fn run(kit: &Kit, module: Option<&Path>) -> Result<()> {
    let (shipped, named) = match module {
        Some(module) => (module.to_path_buf(), module.to_path_buf()),
        None => {
            let named = ship::run(kit)?;
            (kit.workspace.package_wasm().join(module::FILE), named)
        }
    };
    let shipped = read(&shipped)?;
    let gzip = gzip(&shipped)?;
    println!("\n{:24}{:>12}{:>12}{:>12}", "", "raw", "gzip", "brotli");
    println!(
        "{:24}{:>12}{:>12}{:>12}",
        "kvscope",
        mega(shipped.len()),
        mega(gzip),
        mega(brotli(&shipped)?)
    );
    println!(
        "{:24}{:>12}{:>12}",
        "llama.cpp in wllama",
        mega(LLAMA_CPP[0]),
        mega(LLAMA_CPP[1])
    );
    let ratio = |ours: usize, theirs: usize| format!("{:.2}", ours as f64 / theirs as f64);
    println!(
        "{:24}{:>12}{:>12}",
        "ratio",
        ratio(shipped.len(), LLAMA_CPP[0]),
        ratio(gzip, LLAMA_CPP[1])
    );

    let named = read(&named)?;
    let found = contributors::of(&named)?;
    show("by crate", &found.crates, found.total);
    show("by function", &found.functions, found.total);
    Ok(())
}

fn show(title: &str, shares: &[Share], total: usize) {
    println!("\nlargest {title}, of {} without names", mega(total));
    for share in shares.iter().take(LARGEST) {
        let percent = 100.0 * share.bytes as f64 / total.max(1) as f64;
        println!(
            "{:>10} kB {percent:5.1} %  {}",
            share.bytes.div_ceil(1000),
            shortened(&share.name)
        );
    }
}

fn shortened(name: &str) -> String {
    const WIDTH: usize = 120;
    match name.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_owned(),
    }
}

fn mega(bytes: usize) -> String {
    format!("{:.2} MB", bytes as f64 / 1e6)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{} can't be read", path.display()))
}

fn gzip(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

fn brotli(bytes: &[u8]) -> Result<usize> {
    const BUFFER: usize = 1 << 16;
    const QUALITY: u32 = 11;
    const WINDOW: u32 = 24;
    let mut encoder = brotli::CompressorWriter::new(Vec::new(), BUFFER, QUALITY, WINDOW);
    encoder.write_all(bytes)?;
    Ok(encoder.into_inner().len())
}
