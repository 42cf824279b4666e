//! `kvscope policies`: the methods, strategies and options that there are.

use std::fmt::Write as _;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use kvscope::cache::CacheOptions;
use kvscope::generate::SamplingConfig;
use kvscope::policy::{Catalogue, RuleEntry};

use super::arguments::CatalogueArguments;
use super::failure::Failure;
use super::generate::Ended;
use super::readme;

pub fn run(arguments: &CatalogueArguments) -> Result<Ended, Failure> {
    let catalogue = CacheOptions::catalogue();
    if let Some(path) = &arguments.readme {
        write_tables(&catalogue, path)?;
        return Ok(Ended::Whole);
    }
    let text = if arguments.json {
        let json = serde_json::to_string_pretty(&catalogue);
        json.map_err(|error| Failure::Output(error.into()))? + "\n"
    } else if arguments.markdown {
        let tables = catalogue.tables().map(|(_, table)| table);
        tables.join("\n")
    } else {
        listed(&catalogue)
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        // Whoever read has read enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Ended::Whole),
        written => written.map(|()| Ended::Whole).map_err(Failure::Output),
    }
}

/// Puts the tables into the file's sections of their names, of which there must be one at least.
fn write_tables(catalogue: &Catalogue, path: &Path) -> Result<(), Failure> {
    let unusable = |reason: String| Failure::Readme {
        path: path.to_owned(),
        reason,
    };
    let text = fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    let tables: Vec<_> = catalogue
        .tables()
        .into_iter()
        .chain(SamplingConfig::tables())
        .collect();
    let mut found = false;
    for (name, table) in &tables {
        if text.contains(&format!("<!-- {name} -->")) {
            readme::put(path, name, table)?;
            found = true;
        }
    }
    if found {
        return Ok(());
    }
    let names = tables.iter().map(|(name, _)| format!("<!-- {name} -->"));
    let names: Vec<_> = names.collect();
    Err(unusable(format!("it has none of {}", names.join(", "))))
}

/// Names, sentences and defaults. Writing to a string can't fail.
fn listed(catalogue: &Catalogue) -> String {
    let mut text = String::from("Prefill methods (--prefill-method):\n");
    rules(&mut text, &catalogue.prefill);
    text += "\nDecode strategies (--decode-strategy):\n";
    rules(&mut text, &catalogue.decode);
    text += "\nOptions:\n";
    for option in &catalogue.options {
        let _ = writeln!(text, "  {:22} {}", option.flag, option.about);
        let _ = write!(text, "  {:22} default {}", "", option.default);
        if !option.read_by.is_empty() {
            let _ = write!(text, "; read by {}", option.read_by.join(", "));
        }
        text.push('\n');
    }
    text
}

fn rules(text: &mut String, rules: &[RuleEntry]) {
    for rule in rules {
        let _ = writeln!(text, "  {:14} {}", rule.name, rule.about);
    }
}
