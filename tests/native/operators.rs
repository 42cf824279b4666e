//! Operators side by side in WGSL. Browsers ask for parentheses between many of them, as the
//! [grammar](https://www.w3.org/TR/WGSL/#operator-precedence-associativity) does. naga does not:
//! `findings/naga-operators.sh`.

use std::fs;
use std::path::{Path, PathBuf};

/// Names that a list of templates follows, as of types.
const TEMPLATED: &[&str] = &[
    "array", "atomic", "bitcast", "mat2x2", "ptr", "var", "vec2", "vec3", "vec4",
];

/// Words after which an operator has no operand before it.
const KEYWORDS: &[&str] = &["case", "else", "if", "in", "return", "switch", "while"];

/// Operators of more than one character, the longest first. Assignments end an expression.
const LONG: &[&str] = &[
    "<<=", ">>=", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "->", "+=", "-=", "*=", "/=",
    "%=", "&=", "|=", "^=", "++", "--",
];

const BITS: &[&str] = &["|", "&", "^"];
const SHIFTS: &[&str] = &["<<", ">>"];
const RELATIONS: &[&str] = &["<", ">", "<=", ">=", "==", "!="];
const SUMS: &[&str] = &["+", "-", "*", "/", "%"];
const LOGIC: &[&str] = &["&&", "||"];

#[test]
fn shaders_have_parentheses_where_browsers_ask_for_them() {
    let mut count = 0;
    let mut wrong = Vec::new();
    for file in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders")) {
        let text = fs::read_to_string(&file).unwrap();
        count += 1;
        for (line, operators) in mixed(&text) {
            wrong.push(format!("{}:{line}: {operators}", file.display()));
        }
    }
    assert!(count > 50, "{count} shaders");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The verdicts are Dawn's.
#[test]
fn mixtures_are_found() {
    for (expression, is_valid) in [
        ("a | (b << 4u)", true),
        ("a | b | c", true),
        ("a + b * c - -d", true),
        ("a << 4u < b && c >= d + e", true),
        ("f(a | b, c << 1u)[d & e] + g", true),
        ("bitcast<vec2<u32>>(a) >> vec2<u32>(b)", true),
        ("a | b << 4u", false),
        ("a << 4u | b", false),
        ("a & b << 4u", false),
        ("a ^ b >> 4u", false),
        ("a + b << 4u", false),
        ("a << b + 1u", false),
        ("a & b == 0u", false),
        ("a | b & c", false),
        ("a < b && a < c || b < c", false),
        ("f(1u, (a | b & c))", false),
    ] {
        let text = format!("let x = {expression}; // 1 | 2 & 3\n");
        assert_eq!(mixed(&text).is_empty(), is_valid, "{expression}");
    }
    // In a template, of either branch.
    let text =
        "{#- a | b & c -#}\nlet x = {{ a | int }}{% if b %} | 1u{% else %} & {{ c }}{% endif %};";
    assert_eq!(mixed(text), [(2, "| &".to_owned())]);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let found = entries.flat_map(|path| match path.is_dir() {
        true => files(&path),
        false => vec![path],
    });
    found.collect()
}

/// Binary operators of each expression that lacks parentheses, and its line.
fn mixed(text: &str) -> Vec<(usize, String)> {
    let text = without_templates(text);
    let mut found = Vec::new();
    let mut line = 1;
    // Operators so far, of the expression and of those that it is in.
    let mut open: Vec<Vec<&str>> = vec![Vec::new()];
    // Unclosed lists of templates, and whether the last token is an operand.
    let mut templates = 0;
    let mut after_operand = false;
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        if rest.starts_with("//") {
            length = rest.find('\n').unwrap_or(rest.len());
        } else if first.is_ascii_alphanumeric() || first == '_' {
            let is_part = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '.';
            length = rest.find(|it| !is_part(it)).unwrap_or(rest.len());
            let word = &rest[..length];
            if TEMPLATED.contains(&word) && rest[length..].starts_with('<') {
                length += 1;
                templates += 1;
            }
            after_operand = !KEYWORDS.contains(&word);
        } else if first == '\n' {
            line += 1;
        } else if first == '>' && templates > 0 {
            templates -= 1;
        } else if !first.is_whitespace() && first != '.' {
            let long = LONG.iter().find(|it| rest.starts_with(**it));
            let token = long.map_or(&rest[..length], |it| *it);
            length = token.len();
            let all = [BITS, SHIFTS, RELATIONS, SUMS, LOGIC];
            let is_operator = all.iter().any(|kind| kind.contains(&token));
            let mut ended = Vec::new();
            match token {
                "(" | "[" => open.push(Vec::new()),
                ")" | "]" => ended = open.pop().unwrap_or_default(),
                _ if is_operator && after_operand => {
                    open.last_mut().unwrap().push(&rest[..length]);
                }
                "!" | "~" | "@" | "#" => {}
                _ if is_operator => {}
                _ => ended = std::mem::take(open.last_mut().unwrap()),
            }
            if open.is_empty() {
                open.push(Vec::new());
            }
            if !is_valid(&ended) {
                found.push((line, ended.join(" ")));
            }
            after_operand = matches!(token, ")" | "]");
        }
        rest = &rest[length..];
    }
    found
}

/// `true` if the grammar has these binary operators side by side.
fn is_valid(operators: &[&str]) -> bool {
    let has = |kind: &[&str]| operators.iter().any(|it| kind.contains(it));
    if has(BITS) {
        return operators.iter().all(|it| *it == operators[0]);
    }
    let logic = LOGIC.iter().filter(|it| operators.contains(it)).count();
    let is_logic = |it: &&str| LOGIC.contains(it);
    let is_relation = |it: &&str| RELATIONS.contains(it);
    let one_relation = operators
        .split(is_logic)
        .all(|part| part.iter().filter(|it| is_relation(it)).count() <= 1);
    let shifts_alone = operators
        .split(|it| is_logic(it) || is_relation(it))
        .all(|part| part.len() <= 1 || !part.iter().any(|it| SHIFTS.contains(it)));
    logic <= 1 && one_relation && shifts_alone
}

/// The text with an operand for each value of a template, without its comments and its statements.
/// Lines stay.
fn without_templates(text: &str) -> String {
    let mut rest = text;
    let mut written = String::new();
    while let Some(at) = ["{#", "{%", "{{"]
        .iter()
        .filter_map(|it| rest.find(it))
        .min()
    {
        let close = match &rest[at..at + 2] {
            "{#" => "#}",
            "{%" => "%}",
            _ => "}}",
        };
        let end = rest[at..].find(close).map_or(rest.len(), |it| at + it + 2);
        written += &rest[..at];
        if close == "}}" {
            written += "x";
        }
        let lines = rest[at..end].matches('\n').count();
        written += &"\n".repeat(lines);
        rest = &rest[end..];
    }
    written + rest
}
