//! `cargo xtask adding`: the examples of `docs/adding.md`, compiled and run in a copy of the
//! checkout.
//!
//! A fenced block that names a file after its language is part of an example. One of the language
//! `diff` edits the file, any other is the whole of a new one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::child;
use crate::lint;
use crate::module::BENCH;
use crate::setup::Kit;
use crate::workspace::remove_folder;

const PAGE: &str = "docs/adding.md";

/// Files and folders that the copy has, and their places there. What lies in `tests/adding` is no
/// test of the checkout itself, which has no such kinds.
const COPIED: [(&str, &str); 6] = [
    // The crate's documentation has this page.
    ("docs/rules.md", "docs/rules.md"),
    ("src", "src"),
    ("shaders", "shaders"),
    ("benches", "benches"),
    ("tests/support", "tests/support"),
    ("tests/adding/kinds.rs", "tests/adding/main.rs"),
];

/// The manifest's lines that differ in the copy. Cargo would take two builds of one package in one
/// folder for the same.
const MANIFEST: [(&str, &str); 4] = [
    ("members = [\"xtask\"]", "members = []"),
    (
        "[package]\nname = \"kvscope\"",
        "[package]\nname = \"adding\"",
    ),
    (
        "[lib]\ncrate-type = [\"cdylib\", \"rlib\"]",
        "[lib]\nname = \"kvscope\"\ncrate-type = [\"rlib\"]",
    ),
    (
        "[[bin]]\nname = \"kvscope\"",
        "[[bin]]\nname = \"kvscope-adding\"",
    ),
];

pub fn run(kit: &Kit) -> Result<()> {
    let root = &kit.workspace.root;
    let place = kit.workspace.target.join("adding");
    let copy = place.with_extension("part");
    remove_folder(&copy)?;
    for (from, to) in COPIED {
        copy_all(&root.join(from), &copy.join(to))?;
    }
    let mut manifest = read(&root.join("Cargo.toml"))?;
    for (before, after) in MANIFEST {
        manifest = replaced(&manifest, before, after).context("Cargo.toml")?;
    }
    write(&copy.join("Cargo.toml"), &manifest)?;
    let lock = read(&root.join("Cargo.lock"))?;
    let lock = replaced(&lock, "name = \"kvscope\"", "name = \"adding\"").context("Cargo.lock")?;
    write(&copy.join("Cargo.lock"), &lock)?;

    let page = read(&root.join(PAGE))?;
    let blocks = blocks(&page);
    ensure!(!blocks.is_empty(), "{PAGE} has no examples");
    for block in &blocks {
        block.apply(&copy).with_context(|| block.path.to_owned())?;
    }
    update(&copy, &place)?;
    remove_folder(&copy)?;

    // Not `--locked`: the lock file has xtask too.
    let mut cargo = kit.cargo();
    lint::add(&mut cargo);
    cargo
        .current_dir(&place)
        .args(["test", "--offline", "--test", "adding"])
        .args(BENCH);
    kit.vulkan()?.name_to(&mut cargo);
    child::run(&mut cargo)
}

/// A fenced block of the page that names a file.
#[derive(Debug, PartialEq)]
struct Block<'a> {
    language: &'a str,
    path: &'a str,
    lines: Vec<&'a str>,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(information) = line.strip_prefix("```") else {
            continue;
        };
        let inside = lines.by_ref().take_while(|line| *line != "```").collect();
        if let Some((language, path)) = information.split_once(' ') {
            blocks.push(Block {
                language,
                path,
                lines: inside,
            });
        }
    }
    blocks
}

impl Block<'_> {
    fn apply(&self, copy: &Path) -> Result<()> {
        let file = copy.join(self.path);
        if self.language != "diff" {
            ensure!(!file.exists(), "the checkout has this file already");
            return write(&file, &(self.lines.join("\n") + "\n"));
        }
        let mut text = read(&file)?;
        for hunk in self.lines.split(|line| *line == "@@") {
            let side = |other: char| -> String {
                let lines = hunk.iter().filter(|line| !line.starts_with(other));
                lines
                    .map(|line| format!("{}\n", line.get(1..).unwrap_or_default()))
                    .collect()
            };
            text = replaced(&text, &side('+'), &side('-'))?;
        }
        write(&file, &text)
    }
}

/// `text` with `after` in the place of `before`, which has to be there once.
fn replaced(text: &str, before: &str, after: &str) -> Result<String> {
    match text.matches(before).count() {
        1 => Ok(text.replacen(before, after, 1)),
        count => bail!("there {count} times, not once:\n{before}"),
    }
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        for entry in fs::read_dir(from)? {
            let name = PathBuf::from(entry?.file_name());
            copy_all(&from.join(&name), &to.join(&name))?;
        }
        return Ok(());
    }
    let text = fs::read(from).with_context(|| format!("{} can't be read", from.display()))?;
    write(to, text)
}

/// Makes `to` the same as the folder `from`. Files that are equal are left alone, since cargo
/// compiles anew what has been written since.
fn update(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("{} can't be made", to.display()))?;
    for entry in fs::read_dir(to)? {
        let old = entry?.path();
        let new = from.join(old.file_name().unwrap_or_default());
        if old.is_dir() && !new.is_dir() {
            remove_folder(&old)?;
        } else if old.is_file() && !new.is_file() {
            fs::remove_file(&old).with_context(|| format!("{} can't be removed", old.display()))?;
        }
    }
    for entry in fs::read_dir(from)? {
        let new = entry?.path();
        let old = to.join(new.file_name().unwrap_or_default());
        if new.is_dir() {
            update(&new, &old)?;
            continue;
        }
        let text = fs::read(&new).with_context(|| format!("{} can't be read", new.display()))?;
        if fs::read(&old).is_ok_and(|old| old == text) {
            continue;
        }
        write(&old, text)?;
    }
    Ok(())
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))
}

fn write(file: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, text).with_context(|| format!("{} can't be written", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_name_a_file_are_found() {
        let page = "a\n```rust\nfn no() {}\n```\nb\n```diff src/a.rs\n a\n+b\n```\n";
        let found = Block {
            language: "diff",
            path: "src/a.rs",
            lines: vec![" a", "+b"],
        };
        assert_eq!(blocks(page), [found]);
    }

    #[test]
    fn only_what_differs_is_written() {
        let folder = std::env::temp_dir().join(format!("kvscope-update-{}", std::process::id()));
        let [from, to] = ["from", "to"].map(|name| folder.join(name));
        for (file, text) in [("same", "1"), ("inner/changed", "2"), ("new", "3")] {
            write(&from.join(file), text).expect("a file");
        }
        for (file, text) in [("same", "1"), ("inner/changed", "0"), ("gone/old", "4")] {
            write(&to.join(file), text).expect("a file");
        }
        let same = fs::File::options().write(true).open(to.join("same"));
        let same = same.expect("a file");
        let before = std::time::SystemTime::UNIX_EPOCH;
        same.set_modified(before).expect("a time of long ago");
        let written = || {
            let metadata = fs::metadata(to.join("same")).expect("a file");
            metadata.modified().expect("a time")
        };
        update(&from, &to).expect("two folders");
        assert_eq!(written(), before);
        for (file, text) in [("inner/changed", "2"), ("new", "3")] {
            assert_eq!(read(&to.join(file)).expect("a file"), text);
        }
        assert!(!to.join("gone").exists());
        remove_folder(&folder).expect("the test's own folder");
    }

    #[test]
    fn what_is_not_there_once_is_refused() {
        assert_eq!(replaced("a b c", "b", "d").expect("one"), "a d c");
        assert!(replaced("a b b", "b", "d").is_err());
        assert!(replaced("a", "b", "d").is_err());
    }
}
