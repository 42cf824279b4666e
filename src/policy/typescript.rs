//! The options' TypeScript types, written at compile time from the declarations.

use super::options::{DECODE_BUDGET, OBSERVATION_WINDOW, PREFILL_BUDGET, RECENT};
use super::{DecodeStrategy, PrefillMethod, Spec};

/// Declarations of `PrefillOptions` and `DecodeOptions`, for the module's types.
pub const TYPESCRIPT: &str = TEXT.as_str();

const TEXT: &Declarations = &declarations();

/// TypeScript that is written at compile time, of bounded length.
pub(crate) struct Declarations {
    bytes: [u8; 8192],
    length: usize,
}

impl Declarations {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; 8192],
            length: 0,
        }
    }

    pub(crate) const fn push(&mut self, text: &str) {
        let text = text.as_bytes();
        let mut at = 0;
        while at < text.len() {
            self.bytes[self.length] = text[at];
            self.length += 1;
            at += 1;
        }
    }

    pub(crate) const fn as_str(&self) -> &str {
        let (text, _) = self.bytes.split_at(self.length);
        match std::str::from_utf8(text) {
            Ok(text) => text,
            Err(_) => "",
        }
    }

    /// The beginning of an interface.
    pub(crate) const fn open(&mut self, name: &str, about: &str) {
        self.push("/**\n * ");
        self.push(about);
        self.push("\n */\nexport interface ");
        self.push(name);
        self.push(" {\n");
    }

    /// An optional field of an interface.
    pub(crate) const fn field(&mut self, name: &str, type_name: &str, about: &str) {
        self.push("    /**\n     * ");
        self.push(about);
        self.push("\n     */\n    ");
        self.push(name);
        self.push("?: ");
        self.push(type_name);
        self.push(";\n");
    }

    const fn parameter(&mut self, spec: &Spec) {
        self.field(spec.json(), spec.type_name(), spec.about);
    }

    /// The parameters of all rules, each once, and the end of the interface.
    const fn close(&mut self, rules: &[&[&Spec]]) {
        let mut rule = 0;
        while rule < rules.len() {
            let mut at = 0;
            while at < rules[rule].len() {
                if is_first(rules, rule, at) {
                    self.parameter(rules[rule][at]);
                }
                at += 1;
            }
            rule += 1;
        }
        self.push("}\n");
    }
}

const fn declarations() -> Declarations {
    let mut text = Declarations::new();
    text.open("PrefillOptions", "The prompt's part of a cache's rules.");
    text.field("method", "PrefillMethod", "The method; `full` by default.");
    text.field("budget", "BudgetOption", PREFILL_BUDGET.about);
    text.parameter(&OBSERVATION_WINDOW.spec);
    text.close(PrefillMethod::PARAMETERS);
    text.push("\n");
    text.open("DecodeOptions", "The output's part of a cache's rules.");
    text.field(
        "strategy",
        "DecodeStrategy",
        "The strategy; `full` by default.",
    );
    text.field("budget", "BudgetOption", DECODE_BUDGET.about);
    text.parameter(&RECENT.spec);
    text.close(DecodeStrategy::PARAMETERS);
    text
}

/// No earlier rule, and nothing earlier of this one, declares the parameter.
const fn is_first(rules: &[&[&Spec]], rule: usize, at: usize) -> bool {
    let name = rules[rule][at].name;
    let mut earlier = 0;
    while earlier <= rule {
        let specs = rules[earlier];
        let end = if earlier < rule { specs.len() } else { at };
        let mut other = 0;
        while other < end {
            if is_same(specs[other].name, name) {
                return false;
            }
            other += 1;
        }
        earlier += 1;
    }
    true
}

const fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name and type of every field of an interface.
    fn fields(text: &str) -> Vec<&str> {
        let lines = text.lines().map(str::trim);
        lines.filter(|line| line.contains("?: ")).collect()
    }

    #[test]
    fn interfaces_have_every_option_once_with_its_type() {
        let (prefill, decode) = TYPESCRIPT.split_once("}\n").unwrap();
        for (text, expected) in [
            (
                prefill,
                &[
                    "method?: PrefillMethod;",
                    "budget?: BudgetOption;",
                    "observationWindow?: number;",
                    "pooling?: Pooling;",
                    "kernel?: number;",
                    "pyramidBeta?: number;",
                ][..],
            ),
            (
                decode,
                &[
                    "strategy?: DecodeStrategy;",
                    "budget?: BudgetOption;",
                    "recent?: number;",
                    "strictBudget?: boolean;",
                    "decay?: number;",
                ],
            ),
        ] {
            let fields = fields(text);
            for field in expected {
                let found = fields.iter().filter(|found| *found == field);
                assert_eq!(found.count(), 1, "{field}");
            }
            assert!(
                text.starts_with("/**") || text.starts_with("\n/**"),
                "{text}"
            );
        }
        assert!(decode.ends_with("}\n"));
    }

    #[test]
    fn every_declared_parameter_is_a_field_with_its_sentence() {
        let (prefill, decode) = TYPESCRIPT.split_once("}\n").unwrap();
        for (text, specs) in [
            (prefill, PrefillMethod::all_parameters()),
            (decode, DecodeStrategy::all_parameters()),
        ] {
            assert_eq!(fields(text).len(), 3 + specs.len());
            for spec in specs {
                let field = format!("{}?: {};", spec.json(), spec.type_name());
                assert!(fields(text).contains(&field.as_str()), "{field}");
                assert!(text.contains(spec.about), "{field}");
            }
        }
    }
}
