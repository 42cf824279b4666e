//! The tables in Markdown, to be read in a terminal or put into a document.

use std::fmt::Write;

use serde_json::Value;

use super::sections::Section;

/// Describes the measurement and its machine, then every section.
pub fn shown(
    plan: &Value,
    native: &Value,
    browser: Option<&Value>,
    sections: &[Section],
) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        // Writing to a text can't fail.
        let _ = writeln!(text, "{line}");
    };
    line(String::new());
    line(format!("native: {}", adapter(native)));
    if let Some(browser) = browser {
        line(format!("browser: {}", adapter(browser)));
        for wllama in browser["wllama"].as_array().into_iter().flatten().take(1) {
            line(format!(
                "wllama {}: llama.cpp compiled to WebAssembly, {} threads on the CPU, no GPU",
                text_of(&wllama["version"]),
                wllama["threads"]
            ));
        }
    }
    line(format!(
        "passes: {}, rounds in each: {}; in every round each policy at a context does {} steps that count after {} that do not",
        plan["passes"], plan["rounds"], plan["steps"], plan["warm"]
    ));
    for policy in settings(plan) {
        line(policy);
    }
    for section in sections {
        line(format!("\n### {}\n\n{}.\n", section.title, section.about));
        line(row(section.columns.iter().map(|&name| name.to_owned())));
        line(row(section.columns.iter().map(|_| "---".to_owned())));
        for cells in &section.rows {
            line(row(cells.iter().map(cell)));
        }
    }
    text
}

fn adapter(half: &Value) -> String {
    let adapter = &half["adapter"];
    let named: Vec<String> = ["name", "driver", "backend", "deviceType"]
        .iter()
        .map(|field| text_of(&adapter[field]))
        .filter(|text| !text.is_empty())
        .collect();
    named.join(", ")
}

/// Settings of each decoding policy.
fn settings(plan: &Value) -> Vec<String> {
    let decode = plan["decode"].as_array().into_iter().flatten();
    let each = decode.map(|filled| {
        format!(
            "{} at {}: prompt {}, {}, expecting {} new tokens",
            text_of(&filled["policy"]),
            filled["context"],
            filled["prompt"],
            match filled["cache"]
                .as_object()
                .is_some_and(|cache| cache.is_empty())
            {
                true => "nothing evicted".to_owned(),
                false => filled["cache"].to_string(),
            },
            filled["maxNewTokens"],
        )
    });
    each.collect()
}

fn row(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.collect();
    format!("| {} |", cells.join(" | "))
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::Number(number) if number.is_f64() => figure(number.as_f64().unwrap_or(0.0)),
        other => text_of(other),
    }
}

/// Three significant digits, or all before the point.
fn figure(number: f64) -> String {
    let decimals = match number.abs() {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{number:.decimals$}")
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn figures_have_three_digits_and_what_is_missing_a_dash() {
        let cells = [
            json!(0.123_4),
            json!(12.34),
            json!(1234.5),
            json!(7),
            json!(null),
            json!("a"),
        ];
        let shown: Vec<String> = cells.iter().map(cell).collect();
        assert_eq!(shown, ["0.12", "12.3", "1234", "7", "–", "a"]);
    }
}
