//! `kvscope eval fidelity` with a tiny model on disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kvscope::formats::BlockFormat;
use serde_json::{Value, json};

use crate::support::tiny_model::TinyModel;
use crate::support::tiny_model::sizes::LLAMA;

/// A folder with a model and two files of examples.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fidelity-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let model = TinyModel::new(LLAMA, BlockFormat::F32).gguf().bytes();
    fs::write(folder.join("model.gguf"), model).unwrap();
    let example = |prompt: &str, answer: &str| json!({ "prompt": prompt, "answer": answer });
    let plain = [
        example(
            "a banana a day keeps the budget away",
            "and so does a pyramid",
        ),
        example(
            "what is kept of a prompt and what of the rest",
            "some, and less",
        ),
        example("one more", "this one is last"),
    ];
    let lines: Vec<String> = plain.iter().map(Value::to_string).collect();
    fs::write(folder.join("plain.jsonl"), lines.join("\n")).unwrap();
    let asked = json!({
        "prompt": "Question_1: 1+1? Answer_1:\n2\nQuestion_2: 2+2? Question_3: 3*3?",
        "questions": ["2+2?", "3*3?"],
        "answers": ["<<2+2=4>>4\n#### 4", "9\n#### 9"],
    });
    fs::write(folder.join("asked.jsonl"), asked.to_string()).unwrap();
    folder
}

fn fidelity(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kvscope"))
        .args(["eval", "fidelity", "--model", "model.gguf", "--raw"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the command starts")
}

fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = fidelity(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = fidelity(folder, arguments);
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).unwrap()
}

fn record(folder: &Path, name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap()
}

/// Equal but for the last digit of a number, which reading JSON may change.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && same(a.1, b.1))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= 1e-12 * a.abs()
        }
        _ => a == b,
    }
}

const POLICIES: &str = "full,slide,h2o";

#[test]
fn a_run_in_two_parts_is_one_run() {
    let folder = folder("resumed");
    let all = ["--data", ".", "--policies", POLICIES, "--json"];
    run(&folder, &[&all[..], &["whole.json"]].concat());
    run(
        &folder,
        &[&all[..], &["parts.json", "--examples", "1"]].concat(),
    );
    let first = record(&folder, "parts.json");
    assert_eq!(first["examples"].as_array().unwrap().len(), 2);
    let text = run(&folder, &[&all[..], &["parts.json"]].concat());
    let (whole, parts) = (record(&folder, "whole.json"), record(&folder, "parts.json"));

    assert!(same(&whole["summary"], &parts["summary"]));
    let outcomes = |record: &Value| -> Vec<Value> {
        let examples = record["examples"].as_array().unwrap().iter();
        examples.map(|it| it["outcomes"].clone()).collect()
    };
    assert_eq!(outcomes(&whole).len(), 4);
    let pairs = outcomes(&whole).into_iter().zip(outcomes(&parts));
    pairs.for_each(|(a, b)| assert!(same(&a, &b), "{a} {b}"));
    assert_eq!(
        first["examples"][1], parts["examples"][1],
        "it was not run again"
    );

    let all = &whole["summary"]["all"];
    assert_eq!(all[0]["policy"], "full");
    assert_eq!(all[0]["kl"]["mean"], 0.0);
    assert_eq!(all[0]["agreement"]["mean"], 1.0);
    let names: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["policy"])
        .collect();
    assert_eq!(
        names,
        ["full", "slide 25%", "h2o 25%", "slide 12.5%", "h2o 12.5%"]
    );
    for row in &all.as_array().unwrap()[1..] {
        let (kl, interval) = (row["kl"]["mean"].as_f64().unwrap(), &row["kl"]["interval"]);
        assert!(
            interval["low"].as_f64().unwrap() <= kl && kl <= interval["high"].as_f64().unwrap()
        );
        assert!(kl > 0.0, "{row}");
    }
    assert!(text.contains("slide 12.5%"), "{text}");
}

#[test]
fn what_was_something_else_is_not_gone_on_from() {
    let folder = folder("refused");
    let data = ["--data", "asked.jsonl", "--json", "a.json", "--policies"];
    run(&folder, &[&data[..], &["full,slide"]].concat());
    let again = |more: &[&str]| refused(&folder, &[&data[..], more].concat());
    for (more, reason) in [
        (&["full"][..], "other policies"),
        (&["full,slide", "--max-answer", "9"], "another --max-answer"),
        (
            &["full,slide", "--recent-share", "0.25"],
            "another --recent-share",
        ),
        (&["full,slide", "--data", "plain.jsonl"], "other examples"),
    ] {
        let said = again(more);
        assert!(
            said.contains(reason) && said.contains("resume-refused"),
            "{said}"
        );
    }
    fs::write(folder.join("a.json"), "{}").unwrap();
    assert!(again(&["full,slide"]).contains("no record"));
    let other = TinyModel::new(LLAMA, BlockFormat::Q8_0).gguf().bytes();
    run(
        &folder,
        &[
            "--data",
            "asked.jsonl",
            "--policies",
            "full",
            "--json",
            "b.json",
        ],
    );
    fs::write(folder.join("model.gguf"), other).unwrap();
    let said = refused(
        &folder,
        &[
            "--data",
            "asked.jsonl",
            "--policies",
            "full",
            "--json",
            "b.json",
        ],
    );
    assert!(said.contains("another model"), "{said}");
}

#[test]
fn examples_and_policies_that_can_not_be_are_refused() {
    let folder = folder("unusable");
    fs::write(
        folder.join("half.jsonl"),
        "{\"prompt\": \"a\", \"answer\": \"bcd\"}\n{\"prompt\": 1}",
    )
    .unwrap();
    fs::write(folder.join("empty.jsonl"), "\n").unwrap();
    fs::write(
        folder.join("short.jsonl"),
        r#"{"prompt": "a", "answer": "b"}"#,
    )
    .unwrap();
    for (arguments, reason) in [
        (&["--data", "nowhere.jsonl"][..], "nowhere.jsonl"),
        (&["--data", "half.jsonl"], "line 2"),
        (&["--data", "empty.jsonl"], "no examples"),
        (&["--data", "short.jsonl"], "nothing to compare"),
        (
            &["--data", "plain.jsonl", "--data", "plain.jsonl"],
            "has this name too",
        ),
        (
            &["--data", "plain.jsonl", "--policies", "best"],
            "short name",
        ),
        (
            &["--data", "plain.jsonl", "--decode-ratio", "2"],
            "at most 1",
        ),
        (
            &["--data", "plain.jsonl", "--policy", "decode-budget=0"],
            "decode",
        ),
        (
            &["--data", "plain.jsonl", "--readme", "none.md"],
            "readme-unusable",
        ),
    ] {
        let said = refused(&folder, arguments);
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn the_table_and_the_plot_come_to_their_places() {
    let folder = folder("readme");
    let before = "# Title\n\n<!-- fidelity -->\nold\n<!-- /fidelity -->\n\nrest\n";
    fs::create_dir(folder.join("docs")).unwrap();
    fs::write(folder.join("docs/quality.md"), before).unwrap();
    let policy =
        "prefill-method=snapkv prefill-budget=12 decode-strategy=slide decode-budget=4 recent=2";
    run(
        &folder,
        &[
            "--data",
            ".",
            "--policies",
            POLICIES,
            "--policy",
            policy,
            "--json",
            "a.json",
            "--readme",
            "docs/quality.md",
        ],
    );
    let readme = fs::read_to_string(folder.join("docs/quality.md")).unwrap();
    assert!(readme.starts_with("# Title\n\n<!-- fidelity -->\n"));
    assert!(readme.ends_with("<!-- /fidelity -->\n\nrest\n"));
    let rows = readme
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains(" % |"));
    assert_eq!(
        rows.count(),
        6 * 3,
        "six policies, over all and over each of two files"
    );
    assert!(readme.contains("](fidelity.svg)") && !readme.contains("\nold\n"));
    assert!(readme.contains(policy));

    let plot = fs::read_to_string(folder.join("docs/fidelity.svg")).unwrap();
    let titles = plot.matches("<title>").count();
    assert_eq!(
        titles,
        5 * 2,
        "all but the full cache, in a panel for each file"
    );
    assert_eq!(plot.matches("<g").count(), plot.matches("</g>").count());
    let plot = plot.replace("pyramidinfer", "");
    assert!(!plot.contains("NaN") && !plot.contains("inf"));
}
