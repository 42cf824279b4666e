//! Dependencies between files, from the `use` lines and paths of `src`. Circles are refused, among
//! the rooms of a folder as among the folders of `src`. A room is a file, or a folder with
//! everything in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module's path from the crate's root.
type Module = Vec<String>;

#[test]
fn rooms_of_the_cache_form_no_circle() {
    refuse_circles(&["cache"]);
}

#[test]
fn kernels_form_no_circle() {
    refuse_circles(&["kernels"]);
}

#[test]
fn folders_of_src_form_no_circle() {
    refuse_circles(&[]);
}

/// The test would pass if it read nothing.
#[test]
fn arrows_are_found() {
    let arrows = Sources::read().arrows(&["cache".to_owned()]);
    for (from, to) in [
        ("scope_cache", "layers"),
        ("rows", "storage"),
        ("step", "select"),
    ] {
        assert!(arrows[from].contains_key(to), "{from} uses {to}");
    }
    let arrows = Sources::read().arrows(&[]);
    assert!(arrows["cache"].contains_key("kernels"));
    assert!(
        !arrows["kernels"].contains_key("cache"),
        "{:?}",
        arrows["kernels"]["cache"]
    );
}

fn refuse_circles(folder: &[&str]) {
    let folder: Module = folder.iter().map(|&name| name.to_owned()).collect();
    let arrows = Sources::read().arrows(&folder);
    let circles = circles(&arrows);
    let Some(circle) = circles.first() else {
        return;
    };
    let mut report = String::new();
    for from in circle {
        for (to, path) in &arrows[from] {
            if circle.contains(to) {
                report += &format!("\n  {from} uses {to}: {path}");
            }
        }
    }
    panic!("a circle in src/{}:{report}", folder.join("/"));
}

/// The paths that every module mentions.
struct Sources {
    mentions: BTreeMap<Module, Vec<Mention>>,
}

/// A path in a module's text.
struct Mention {
    path: Vec<String>,
    /// The path is a re-export.
    public: bool,
}

impl Sources {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        collect(&root, &mut files);
        let mut mentions = BTreeMap::new();
        for file in files {
            let inside = file.strip_prefix(&root).unwrap().with_extension("");
            let mut module: Module = inside
                .iter()
                .map(|name| name.to_str().unwrap().to_owned())
                .collect();
            if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
                module.pop();
            }
            if module != ["main"] {
                let text = fs::read_to_string(&file).unwrap();
                mentions.insert(module, mentioned(&code(&text)));
            }
        }
        Self { mentions }
    }

    /// From room to room of `folder`, each with one of the paths that make the arrow.
    fn arrows(&self, folder: &[String]) -> BTreeMap<String, BTreeMap<String, String>> {
        let room = |module: &[String]| -> Option<String> {
            let inside = module.strip_prefix(folder)?;
            Some(inside.first().map_or("mod", String::as_str).to_owned())
        };
        let mut arrows: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for (module, mentions) in &self.mentions {
            let Some(from) = room(module) else {
                continue;
            };
            let to_others = arrows.entry(from.clone()).or_default();
            for mention in mentions {
                // A folder's face names what is in it, and the errors of all rooms meet in one.
                if from == "error" && folder.is_empty() || from == "mod" && mention.public {
                    continue;
                }
                let target = self.resolve(module, &mention.path, 0);
                if let Some(to) = target.as_deref().and_then(room)
                    && to != from
                {
                    to_others.insert(to, mention.path.join("::"));
                }
            }
        }
        arrows
    }

    /// The module that defines what `path` in `module` names; `None` outside the crate.
    fn resolve(&self, module: &[String], path: &[String], depth: usize) -> Option<Module> {
        let mut at = module.to_vec();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => {
                at.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|name| name == "super") {
                    at.pop();
                    rest = &rest[1..];
                }
            }
            name if !self.has(&at, name) => return None,
            _ => {}
        }
        while let Some(name) = rest.first() {
            if self.has(&at, name) {
                at.push(name.clone());
                rest = &rest[1..];
                continue;
            }
            let reexport = self.mentions.get(&at).and_then(|mentions| {
                let public = mentions.iter().filter(|mention| mention.public);
                public.into_iter().find(|it| it.path.last() == Some(name))
            });
            if let Some(reexport) = reexport
                && depth < 8
            {
                return self.resolve(&at, &reexport.path, depth + 1).or(Some(at));
            }
            break;
        }
        Some(at)
    }

    fn has(&self, module: &[String], name: &str) -> bool {
        let mut child = module.to_vec();
        child.push(name.to_owned());
        self.mentions.contains_key(&child)
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The text up to its tests, without comments and with empty strings.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut code = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('/', Some('/')) => {
                characters.by_ref().find(|&character| character == '\n');
                code.push('\n');
            }
            // A quotation mark as a character.
            ('\'', Some('"')) => drop(characters.next()),
            ('"', _) => {
                while let Some(character) = characters.next() {
                    match character {
                        '\\' => drop(characters.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            _ => code.push(character),
        }
    }
    code
}

/// All paths of `use` lines, and those that begin with `crate`, `self` or `super` anywhere.
fn mentioned(code: &str) -> Vec<Mention> {
    let tokens = tokens(code);
    let mut mentions = Vec::new();
    let mut at = 0;
    while let Some(&token) = tokens.get(at) {
        let is_use = token == "use";
        let is_path = matches!(token, "crate" | "self" | "super");
        let begins = is_use || is_path && tokens.get(at + 1) == Some(&"::");
        if !begins {
            at += 1;
            continue;
        }
        let public = is_use && at > 0 && matches!(tokens[at - 1], "pub" | ")");
        let mut paths = Vec::new();
        at = paths_at(&tokens, at + usize::from(is_use), &[], &mut paths);
        mentions.extend(paths.into_iter().map(|path| Mention { path, public }));
    }
    mentions
}

/// Collects the paths of the tree that begins at `tokens[at]`, and returns where it ends.
fn paths_at(tokens: &[&str], at: usize, prefix: &[String], paths: &mut Vec<Vec<String>>) -> usize {
    let Some(&token) = tokens.get(at) else {
        return at;
    };
    if token == "{" {
        let mut at = at + 1;
        while tokens.get(at).is_some_and(|token| *token != "}") {
            at = paths_at(tokens, at, prefix, paths);
        }
        return at + 1;
    }
    if !is_name(token) {
        return at + 1;
    }
    let mut path = prefix.to_vec();
    path.push(token.to_owned());
    let goes_on = |next: &str| next == "{" || is_name(next);
    if tokens.get(at + 1) == Some(&"::") && tokens.get(at + 2).is_some_and(|next| goes_on(next)) {
        return paths_at(tokens, at + 2, &path, paths);
    }
    paths.push(path);
    // The other name is no path of its own.
    if tokens.get(at + 1) == Some(&"as") {
        at + 3
    } else {
        at + 1
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_part = |character: char| character.is_alphanumeric() || character == '_';
        let length = if is_part(first) {
            rest.find(|character| !is_part(character))
                .unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

/// Sets of rooms that reach each other.
fn circles(arrows: &BTreeMap<String, BTreeMap<String, String>>) -> BTreeSet<BTreeSet<String>> {
    let reached = |from: &String| -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut open = vec![from];
        while let Some(room) = open.pop() {
            for to in arrows.get(room).into_iter().flat_map(BTreeMap::keys) {
                if reached.insert(to.clone()) {
                    open.push(to);
                }
            }
        }
        reached
    };
    let reached: BTreeMap<&String, _> = arrows.keys().map(|room| (room, reached(room))).collect();
    let mut circles = BTreeSet::new();
    for (room, from_room) in &reached {
        let back = |other: &&String| reached.get(other).is_some_and(|it| it.contains(*room));
        if from_room.contains(*room) {
            circles.insert(from_room.iter().filter(back).cloned().collect());
        }
    }
    circles
}
