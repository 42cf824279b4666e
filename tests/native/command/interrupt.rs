//! Effects of Ctrl-C on the command.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use kvscope::formats::BlockFormat;
use serde_json::Value;

use crate::support::model_folder;
use crate::support::tiny_model::TinyModel;
use crate::support::tiny_model::sizes::LLAMA;

/// The command in the middle of a text that would take hours.
fn endless(folder: &Path, arguments: &[&str]) -> Child {
    let model = folder.join("tiny.gguf");
    let tiny = TinyModel::new(LLAMA, BlockFormat::F32);
    fs::write(&model, tiny.gguf().bytes()).unwrap();
    Command::new(env!("CARGO_BIN_EXE_kvscope"))
        .args(["generate", "--device", "cpu", "--ignore-eos"])
        .args(["--max-new-tokens", "16777216", "--prompt", "x"])
        .args(["--prefill-budget", "64", "--decode-budget", "64"])
        .args(["--recent", "32", "--observation-window", "8"])
        .args(["--decode-strategy", "slide"])
        .args(arguments)
        .arg("--model")
        .arg(model)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts")
}

fn interrupt(child: &Child) {
    let id = child.id().to_string();
    let status = Command::new("sh")
        .args(["-c", "kill -INT $0", &id])
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn the_generation_ends_with_its_summary() {
    let folder = model_folder::empty("interrupt-json");
    let mut child = endless(&folder, &["--json"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines = lines
        .by_ref()
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    assert_eq!(lines.next().unwrap()["type"], "step");
    interrupt(&child);
    let rest: Vec<Value> = lines.collect();
    let summary = rest.last().unwrap();
    assert_eq!(summary["type"], "summary");
    assert_eq!(summary["finish"], "cancelled");
    assert_eq!(summary["newTokens"], rest.len());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("error"), "{said}");
}

#[test]
fn people_get_the_summary_too() {
    let folder = model_folder::empty("interrupt-text");
    let mut child = endless(&folder, &[]);
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0]).unwrap();
    interrupt(&child);
    stdout.read_to_end(&mut Vec::new()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("cancelled") && said.contains("held"),
        "{said}"
    );
}

/// Nobody reads its output, and nobody closes it. Once the pipe is full it can neither take a step
/// nor write the summary.
#[cfg(target_os = "linux")]
#[test]
fn a_second_one_ends_it_at_once() {
    let folder = model_folder::empty("interrupt-twice");
    let mut child = endless(&folder, &["--json"]);
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0]).unwrap();
    let mut before = None;
    while before != Some(work(&child)) {
        before = Some(work(&child));
        pause();
    }
    for _ in 0..2 {
        assert_eq!(child.try_wait().unwrap(), None, "nothing else ends it");
        interrupt(&child);
        pause();
    }
    // Were it still there, this would let it go on to its end by the first.
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert!(!rest.contains("\"summary\""), "{rest}");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[cfg(target_os = "linux")]
fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(300));
}

/// The clock ticks that the process has spent computing: those of its own, the 14th field of its
/// `stat`.
#[cfg(target_os = "linux")]
fn work(child: &Child) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    fields.split(' ').nth(11).unwrap().parse().unwrap()
}
