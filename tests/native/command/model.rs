//! The command with the real model, on the CPU.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::support::real_model;

fn kvscope(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvscope"));
    command
        .args(["generate", "--device", "cpu", "--model"])
        .arg(real_model::file())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child: Child = kvscope(arguments).spawn().expect("the command starts");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    output
}

fn lines(output: &Output) -> (Vec<Value>, Value) {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    let mut lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let summary = lines.pop().unwrap();
    assert_eq!(summary["type"], "summary");
    assert!(lines.iter().all(|line| line["type"] == "step"));
    (lines, summary)
}

fn tokens(steps: &[Value]) -> Vec<u64> {
    let tokens = steps.iter().map(|step| step["token"].as_u64().unwrap());
    tokens.collect()
}

/// Number of recorded choices at the beginning that were clear.
fn clear(recorded: &real_model::Recorded, most: usize) -> usize {
    let clear = recorded.margin.iter().take_while(|margin| **margin > 0.1);
    clear.count().min(most)
}

#[test]
fn a_raw_prompt_is_continued_as_recorded() {
    const MOST: usize = 12;
    for reference in real_model::references() {
        let recorded = &reference.generation[0];
        let most = MOST.to_string();
        let arguments = ["--prompt-file", "-", "--raw", "--json"];
        let arguments = [
            &arguments[..],
            &["--max-new-tokens", &most, "--chunk", "16"],
        ]
        .concat();
        let (steps, summary) = lines(&run(&arguments, &recorded.prompt));
        let clear = clear(recorded, MOST);
        let expected: Vec<u64> = recorded
            .greedy_ids
            .iter()
            .map(|id| u64::from(*id))
            .collect();
        assert_eq!(
            tokens(&steps)[..clear],
            expected[..clear],
            "{}",
            reference.name
        );
        assert_eq!(summary["promptTokens"], recorded.prompt_ids.len());
        assert_eq!(summary["newTokens"], steps.len());
        let texts = steps.iter().map(|step| step["text"].as_str().unwrap());
        assert_eq!(summary["text"], texts.collect::<String>());
        assert_eq!(
            summary["memory"]["heldBytes"],
            summary["memory"]["fullBytes"]
        );
    }
}

/// The text between the user's control tokens is what the template makes the same prompt of.
#[test]
fn a_users_text_goes_through_the_chat_template() {
    let references = real_model::references();
    let recorded = &references[0].generation[0];
    let (_, said) = recorded.prompt.split_once("<|im_start|>user\n").unwrap();
    let (said, _) = said.split_once("<|im_end|>").unwrap();
    let short = ["--max-new-tokens", "2", "--json"];
    let (steps, summary) = lines(&run(&[&["--prompt", said], &short[..]].concat(), ""));
    assert_eq!(summary["promptTokens"], recorded.prompt_ids.len());
    let clear = clear(recorded, 2);
    assert_eq!(
        tokens(&steps)[..clear],
        recorded.greedy_ids[..clear]
            .iter()
            .map(|id| u64::from(*id))
            .collect::<Vec<_>>()
    );

    let other = ["--prompt", said, "--system", "Answer in French."];
    let (_, other) = lines(&run(&[&other[..], &short].concat(), ""));
    assert_ne!(other["promptTokens"], summary["promptTokens"]);

    // The names of control tokens are text to a user.
    let (_, named) = lines(&run(
        &[&["--prompt", "<|im_end|>"], &short[..]].concat(),
        "",
    ));
    let (_, harmless) = lines(&run(&[&["--prompt", "x"], &short[..]].concat(), ""));
    assert!(named["promptTokens"].as_u64() > harmless["promptTokens"].as_u64());
}

#[test]
fn a_policy_holds_less_than_a_full_cache_and_says_so() {
    let policy = [
        "--prefill-method",
        "snapkv",
        "--prefill-budget",
        "50%",
        "--decode-strategy",
        "slide",
        "--decode-budget",
        "4",
        "--recent",
        "2",
        "--max-new-tokens",
        "12",
        "--prompt",
        "The quick brown fox jumps over the lazy dog. Count the words of this sentence, please.",
    ];
    let sampled = [
        "--temperature",
        "0.8",
        "--top-p",
        "0.9",
        "--seed",
        "5",
        "--ignore-eos",
    ];
    let arguments = [&policy[..], &sampled].concat();
    let json = run(&[&arguments[..], &["--json"]].concat(), "");
    let (steps, summary) = lines(&json);
    assert_eq!(steps.len(), 12);
    assert_eq!(summary["finish"], "length");
    let held = summary["memory"]["heldBytes"].as_u64().unwrap();
    let full = summary["memory"]["fullBytes"].as_u64().unwrap();
    assert!(held < full, "{held} bytes held, {full} with a full cache");
    assert!(
        steps
            .iter()
            .all(|step| step["slots"]["decode"].as_u64() <= Some(4))
    );

    // For people it is the same text, by the same seed, with the figures beside it.
    let text = run(&arguments, "");
    let expected = summary["text"].as_str().unwrap();
    assert_eq!(
        String::from_utf8(text.stdout)
            .unwrap()
            .trim_end_matches('\n'),
        expected.trim_end_matches('\n')
    );
    let said = String::from_utf8(text.stderr).unwrap();
    for figure in [
        format!("{:.2} MB held", held as f64 / 1e6),
        format!("{:.2} MB with a full cache in f16", full as f64 / 1e6),
        "as many as were asked for".to_owned(),
    ] {
        assert!(said.contains(&figure), "{said}");
    }
}

#[test]
fn it_ends_when_nobody_reads_any_more() {
    let endless = ["--prompt", "Count to a thousand.", "--json", "--ignore-eos"];
    let mut child = kvscope(&[&endless[..], &["--max-new-tokens", "100000"]].concat())
        .spawn()
        .expect("the command starts");
    let mut first = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut first).unwrap();
    assert!(first.contains("\"step\""), "{first}");
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
}

#[test]
fn a_prompt_beyond_the_context_is_refused_with_both_numbers() {
    let output = {
        let mut child = kvscope(&["--prompt-file", "-", "--raw", "--json"])
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin
            .write_all("one two three four\n".repeat(2000).as_bytes())
            .unwrap();
        drop(stdin);
        child.wait_with_output().unwrap()
    };
    assert_eq!(output.status.code(), Some(1));
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"]["code"], "prompt-too-long");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("8192") && message.contains("10000"),
        "{message}"
    );
}
