//! The catalogue: methods, strategies, options and presets. It is one value for programs that show
//! them, and the tables of the documentation.

use std::fmt::Write;

use serde::Serialize;

use super::options::{DECODE_BUDGET, DeclaredBudget, OBSERVATION_WINDOW, PREFILL_BUDGET, RECENT};
use super::presets::PAPER;
use super::{DecodeStrategy, Description, Family, Kind, PrefillMethod, Spec, Value};

/// Everything that can be chosen.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct Catalogue {
    /// Prefill methods.
    pub prefill: Vec<RuleEntry>,
    /// Decode strategies.
    pub decode: Vec<RuleEntry>,
    /// Kinds of methods and strategies.
    pub families: Vec<FamilyEntry>,
    /// Options of a cache.
    pub options: Vec<OptionEntry>,
    /// Policies by short names.
    pub presets: Vec<PresetEntry>,
    /// Types in which keys and values are stored, the default first.
    pub storage: Vec<StorageEntry>,
}

/// A method or strategy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct RuleEntry {
    /// Name in options.
    pub name: &'static str,
    /// Name for people.
    pub label: &'static str,
    /// One sentence that explains it.
    pub about: &'static str,
    /// Publication; empty if there is none.
    pub source: &'static str,
    /// Its kind.
    pub family: Family,
    /// Condition under which it drops slots, in the paper's letters.
    pub acts: &'static str,
    /// Slots that stay then, beside the window or the recent positions.
    pub keeps: &'static str,
}

/// A kind of methods or strategies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct FamilyEntry {
    /// Its name.
    pub name: Family,
    /// One sentence that explains it.
    pub about: &'static str,
}

/// An option of a cache.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct OptionEntry {
    /// Path in the options, such as `prefill.kernel`.
    pub path: String,
    /// Flag of the command, such as `--kernel`.
    pub flag: String,
    /// Type of its values.
    pub kind: OptionKind,
    /// Value if none is given.
    pub default: Value,
    /// Smallest number.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least: Option<usize>,
    /// Largest number.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<usize>,
    /// Distance between allowed numbers, from the smallest on.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// Names to choose from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub choices: Vec<&'static str>,
    /// Methods or strategies that read it; none if all do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub read_by: Vec<&'static str>,
    /// One sentence that explains it.
    pub about: &'static str,
}

/// A type in which keys and values are stored.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct StorageEntry {
    /// Name in options.
    pub name: &'static str,
    /// One sentence that explains it.
    pub about: &'static str,
    /// Bits per element, scales included.
    pub bits_per_element: f32,
}

/// Type of an option's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum OptionKind {
    /// A whole number.
    Count,
    /// A number from `least` to `most`.
    Share,
    /// True or false.
    Switch,
    /// A name.
    Choice,
    /// Slots as a number, or a share as text such as `30%`.
    Budget,
}

/// Policies by short names, such as `snapkv+slide`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct PresetEntry {
    /// Name of the preset.
    pub name: &'static str,
    /// One sentence that explains it.
    pub about: &'static str,
    /// The policies.
    pub policies: Vec<&'static str>,
}

impl Catalogue {
    /// Creates the catalogue. `others` are options beside those of the policy, `storage` the types
    /// in which keys and values are stored.
    pub fn new(others: &[&'static Spec], storage: Vec<StorageEntry>) -> Self {
        let prefill = PrefillMethod::ALL.iter();
        let decode = DecodeStrategy::ALL.iter();
        Self {
            prefill: prefill
                .map(|rule| RuleEntry::new(rule.name(), rule.description()))
                .collect(),
            decode: decode
                .map(|rule| RuleEntry::new(rule.name(), rule.description()))
                .collect(),
            families: Family::ALL
                .iter()
                .map(|&name| FamilyEntry {
                    name,
                    about: name.about(),
                })
                .collect(),
            options: options(others),
            presets: vec![PresetEntry {
                name: "paper",
                about: "The paper's comparison.",
                policies: PAPER.to_vec(),
            }],
            storage,
        }
    }

    /// Tables in Markdown, each with the name of its section.
    pub fn tables(&self) -> [(&'static str, String); 3] {
        [
            (
                "prefill-methods",
                rules(
                    &self.prefill,
                    "method",
                    "keeps, besides the last α2 positions",
                ),
            ),
            (
                "decode-strategies",
                rules(
                    &self.decode,
                    "strategy",
                    "keeps, besides the last β2 positions held",
                ),
            ),
            ("cache-options", option_table(&self.options)),
        ]
    }
}

impl RuleEntry {
    fn new(name: &'static str, description: &Description) -> Self {
        Self {
            name,
            label: description.label,
            about: description.about,
            source: description.source,
            family: description.family,
            acts: description.acts,
            keeps: description.keeps,
        }
    }
}

fn options(others: &[&'static Spec]) -> Vec<OptionEntry> {
    let mut options = vec![
        OptionEntry {
            choices: PrefillMethod::ALL.iter().map(|rule| rule.name()).collect(),
            ..OptionEntry::new(
                "prefill.method".to_owned(),
                "prefill-method",
                OptionKind::Choice,
                Value::Choice(PrefillMethod::default().name()),
                "Method that compresses the prompt.",
            )
        },
        OptionEntry::budget("prefill.budget", &PREFILL_BUDGET),
        OptionEntry::of("prefill.", &OBSERVATION_WINDOW.spec),
    ];
    options.extend(PrefillMethod::all_parameters().into_iter().map(|spec| {
        let reads = |rule: &&PrefillMethod| reads(rule.parameters(), spec);
        let read_by = PrefillMethod::ALL.iter().filter(reads);
        OptionEntry {
            read_by: read_by.map(|rule| rule.name()).collect(),
            ..OptionEntry::of("prefill.", spec)
        }
    }));
    options.extend([
        OptionEntry {
            choices: DecodeStrategy::ALL.iter().map(|rule| rule.name()).collect(),
            ..OptionEntry::new(
                "decode.strategy".to_owned(),
                "decode-strategy",
                OptionKind::Choice,
                Value::Choice(DecodeStrategy::default().name()),
                "Strategy that evicts while decoding.",
            )
        },
        OptionEntry::budget("decode.budget", &DECODE_BUDGET),
        OptionEntry::of("decode.", &RECENT.spec),
    ]);
    options.extend(DecodeStrategy::all_parameters().into_iter().map(|spec| {
        let reads = |rule: &&DecodeStrategy| reads(rule.parameters(), spec);
        let read_by = DecodeStrategy::ALL.iter().filter(reads);
        OptionEntry {
            read_by: read_by.map(|rule| rule.name()).collect(),
            ..OptionEntry::of("decode.", spec)
        }
    }));
    options.extend(others.iter().map(|spec| OptionEntry::of("", spec)));
    options
}

/// A rule of these parameters reads the one that `spec` declares.
fn reads(parameters: &[&Spec], spec: &Spec) -> bool {
    parameters.iter().any(|own| own.name == spec.name)
}

impl OptionEntry {
    fn new(
        path: String,
        flag: &str,
        kind: OptionKind,
        default: Value,
        about: &'static str,
    ) -> Self {
        Self {
            path,
            flag: format!("--{flag}"),
            kind,
            default,
            least: None,
            most: None,
            step: None,
            choices: Vec::new(),
            read_by: Vec::new(),
            about,
        }
    }

    fn budget(path: &str, budget: &DeclaredBudget) -> Self {
        Self::new(
            path.to_owned(),
            &budget.name.replace('_', "-"),
            OptionKind::Budget,
            Value::Count(budget.default),
            budget.about,
        )
    }

    fn of(section: &str, spec: &'static Spec) -> Self {
        let kind = match spec.kind {
            Kind::Count { .. } => OptionKind::Count,
            Kind::Share { .. } => OptionKind::Share,
            Kind::Switch => OptionKind::Switch,
            Kind::Choice { .. } => OptionKind::Choice,
        };
        let path = format!("{section}{}", spec.json());
        let plain = Self::new(path, &spec.flag(), kind, spec.default_value(), spec.about);
        match spec.kind {
            Kind::Count {
                least, most, odd, ..
            } => Self {
                least: Some(least),
                most: Some(most),
                step: Some(if odd { 2 } else { 1 }),
                ..plain
            },
            Kind::Share { .. } => Self {
                least: Some(0),
                most: Some(1),
                ..plain
            },
            Kind::Switch => plain,
            Kind::Choice { names, .. } => Self {
                choices: names.to_vec(),
                ..plain
            },
        }
    }

    /// The allowed values in words.
    pub fn range(&self) -> String {
        match (self.kind, self.least, self.most) {
            (OptionKind::Budget, ..) => "slots, or a share such as `30%`".to_owned(),
            (OptionKind::Switch, ..) => "`true`, `false`".to_owned(),
            (OptionKind::Choice, ..) => quoted(&self.choices),
            (_, Some(least), Some(most)) => {
                let odd = if self.step == Some(2) { ", odd" } else { "" };
                format!("{least} to {most}{odd}")
            }
            _ => String::new(),
        }
    }
}

/// A table with a row per rule. Writing to a string can't fail.
fn rules(rules: &[RuleEntry], kind: &str, keeps: &str) -> String {
    let mut table = format!("| {kind} | acts when | {keeps} | source |\n");
    table += "| --- | --- | --- | --- |\n";
    for rule in rules {
        let RuleEntry {
            name,
            acts,
            keeps,
            source,
            ..
        } = rule;
        let _ = writeln!(table, "| `{name}` | {acts} | {keeps} | {source} |");
    }
    table
}

fn option_table(options: &[OptionEntry]) -> String {
    let mut table = "| option | flag | default | values | meaning |\n".to_owned();
    table += "| --- | --- | --- | --- | --- |\n";
    for option in options {
        let OptionEntry {
            path,
            flag,
            default,
            about,
            read_by,
            ..
        } = option;
        let range = option.range();
        let of = match read_by.as_slice() {
            [] => String::new(),
            rules => format!(" Read by {}.", quoted(rules)),
        };
        let _ = writeln!(
            table,
            "| `{path}` | `{flag}` | `{default}` | {range} | {about}{of} |"
        );
    }
    table
}

fn quoted(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_told_in_words_that_are_its_own() {
        let catalogue = Catalogue::new(&[], Vec::new());
        for entries in [&catalogue.prefill, &catalogue.decode] {
            for (number, entry) in entries.iter().enumerate() {
                let RuleEntry { name, about, .. } = entry;
                assert!(about.ends_with('.') && about.len() > 10, "{name}: {about}");
                let others = &entries[..number];
                assert!(others.iter().all(|other| other.about != *about), "{name}");
                assert!(
                    others.iter().all(|other| other.label != entry.label),
                    "{name}"
                );
            }
        }
        for option in &catalogue.options {
            assert!(option.about.ends_with('.'), "{}", option.path);
            assert!(!option.range().is_empty(), "{}", option.path);
        }
    }

    #[test]
    fn an_option_says_which_methods_read_it() {
        let options = Catalogue::new(&[], Vec::new()).options;
        let option = |path: &str| {
            let mut all = options.iter();
            all.find(|option| option.path == path).unwrap()
        };
        let kernel = option("prefill.kernel");
        assert_eq!(kernel.read_by[..2], ["snapkv", "pyramidkv"]);
        assert_eq!(
            (kernel.flag.as_str(), kernel.default),
            ("--kernel", Value::Count(7))
        );
        assert_eq!(kernel.range(), "1 to 16777216, odd");
        assert_eq!(
            option("prefill.pyramidBeta").read_by,
            ["pyramidkv", "pyramidinfer"]
        );
        assert_eq!(
            option("decode.strictBudget").read_by,
            ["adaptive", "discontinuous"]
        );
        assert_eq!(
            option("decode.decay").read_by,
            ["decayed-slide", "decayed-h2o"]
        );
        assert!(option("decode.recent").read_by.is_empty());
    }

    #[test]
    fn tables_have_a_row_per_entry() {
        let catalogue = Catalogue::new(&[], Vec::new());
        let rows = [
            catalogue.prefill.len(),
            catalogue.decode.len(),
            catalogue.options.len(),
        ];
        for ((name, table), rows) in catalogue.tables().into_iter().zip(rows) {
            assert_eq!(table.lines().count(), rows + 2, "{name}");
            let columns = |line: &str| line.matches('|').count();
            let mut lines = table.lines();
            let head = columns(lines.next().unwrap());
            assert!(lines.all(|line| columns(line) == head), "{name}");
        }
    }
}
