//! The policy room: it stands alone, its plans are what caches do, and documents say what it says.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use kvscope::cache::{
    Budget, CacheOptions, DecodeStrategy, HeadSlots, PrefillMethod, ScopeCacheConfig,
};
use kvscope::generate::SamplingConfig;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files in `folder` whose names end in `extension`, those in folders in it too.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|it| it == extension) {
            found.push(path);
        }
    }
    found
}

#[test]
fn the_rules_know_no_device_no_file_and_no_other_room() {
    let foreign = [
        "burn",
        "wgpu",
        "web_sys",
        "js_sys",
        "std::fs",
        "std::io",
        "std::path",
        "std::net",
        "std::time",
        "std::thread",
    ];
    let files = files(&root().join("src/policy"), "rs");
    assert!(files.len() > 20);
    for file in files {
        let text = fs::read_to_string(&file).expect("text");
        for (number, line) in text.lines().enumerate() {
            let place = || format!("{}:{}: {line}", file.display(), number + 1);
            // A name in a sentence is no import.
            let code = line.split("//").next().unwrap_or_default();
            for name in foreign {
                assert!(!code.contains(&format!("{name}::")), "{}", place());
            }
            for path in code.split("crate::").skip(1) {
                let known = path.starts_with("policy") || path.starts_with("quoted");
                assert!(known, "{}", place());
            }
        }
    }
}

/// Two layers of two heads, with budgets that a few dozen tokens exceed.
fn config(prefill: PrefillMethod, decode: DecodeStrategy) -> ScopeCacheConfig {
    ScopeCacheConfig::new(2, 2, 2, 4)
        .with_prefill(prefill)
        .with_prefill_budget(Budget::OfPrompt(0.5))
        .with_observation_window(4)
        .with_kernel(3)
        .with_pyramid_beta(5)
        .with_decode(decode)
        .with_decode_budget(Budget::Slots(9))
        .with_recent(3)
        .with_max_new_tokens(24)
}

#[test]
fn plans_are_what_caches_hold() {
    const PROMPT: usize = 31;
    let prompt = || Tensor::<3>::ones([2, PROMPT, 4], &Device::flex());
    let token = || Tensor::<2>::ones([2, 4], &Device::flex());
    for prefill in PrefillMethod::ALL {
        for decode in DecodeStrategy::ALL {
            let config = config(*prefill, *decode);
            let mut cache = config.init(&Device::flex()).expect("valid rules");
            for layer in 0..2 {
                cache
                    .append(layer, prompt(), prompt(), prompt())
                    .expect("a prompt");
                cache.finish_prefill(layer).expect("an open prompt");
            }
            for steps in 0..30 {
                let planned = config.policy.planned_slots((2, 2), PROMPT, steps);
                let held: Vec<Vec<HeadSlots>> = (0..2)
                    .map(|layer| cache.held(layer).expect("a layer").to_vec())
                    .collect();
                assert_eq!(planned, Ok(held), "{prefill} and {decode}, {steps} steps");
                for layer in 0..2 {
                    cache
                        .step(layer, token(), token(), token())
                        .expect("a token");
                }
            }
        }
    }
}

#[test]
fn documents_have_the_librarys_tables() {
    let mut documents = files(&root().join("docs"), "md");
    documents.extend(["README.md", "pkg/README.md"].map(|name| root().join(name)));
    let tables = CacheOptions::catalogue().tables();
    let sampling = SamplingConfig::tables();
    let mut found = Vec::new();
    for document in documents {
        let text = fs::read_to_string(&document).expect("text");
        for (name, table) in tables.iter().chain(&sampling) {
            let Some((_, rest)) = text.split_once(&format!("<!-- {name} -->")) else {
                continue;
            };
            let (own, _) = rest
                .split_once(&format!("<!-- /{name} -->"))
                .unwrap_or_else(|| panic!("{}: {name} has no end", document.display()));
            assert_eq!(
                own.trim(),
                table.trim(),
                "{}: run `cargo run -- policies --readme` on it",
                document.display()
            );
            found.push(*name);
        }
    }
    // The crate's documentation includes this page: its tables are not typed by hand.
    let rules = fs::read_to_string(root().join("docs/rules.md")).expect("text");
    for (name, _) in tables.iter().chain(&sampling) {
        assert!(found.contains(name), "no document has {name}");
    }
    for (name, _) in &tables {
        assert!(rules.contains(&format!("<!-- {name} -->")), "{name}");
    }
}

/// A row of the package's table names its option's path first.
#[test]
fn the_package_s_table_has_every_option_with_its_default() {
    let text = fs::read_to_string(root().join("pkg/README.md")).expect("text");
    for option in CacheOptions::catalogue().options {
        let start = format!("| `{}` ", option.path);
        let row = text.lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("no row of {}", option.path));
        assert!(row.contains(&option.default.to_string()), "{row}");
        for name in option.choices.iter().chain(&option.read_by) {
            assert!(row.contains(&format!("`{name}`")), "no {name} in {row}");
        }
    }
}
