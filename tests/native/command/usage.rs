//! The command line without a model.

use std::process::{Command, Output};

use kvscope::cache::{DecodeStrategy, PrefillMethod};
use serde_json::Value;

fn kvscope(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kvscope"))
        .arg("generate")
        .args(arguments)
        .output()
        .expect("the command starts")
}

/// Text of the standard error, after an exit with `code` and no output.
fn refused(arguments: &[&str], code: i32) -> String {
    let output = kvscope(arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(output.stdout.is_empty());
    said
}

#[test]
fn a_name_that_is_none_is_answered_with_those_that_are() {
    let named = ["--model", "none.gguf", "--prompt", "Hello"];
    let said = refused(&[&named[..], &["--prefill-method", "snap"]].concat(), 2);
    for method in PrefillMethod::ALL {
        assert!(said.contains(method.name()), "{said}");
    }
    let said = refused(&[&named[..], &["--decode-strategy", "slip"]].concat(), 2);
    for strategy in DecodeStrategy::ALL {
        assert!(said.contains(strategy.name()), "{said}");
    }
}

#[test]
fn what_can_not_be_is_said_before_a_model_is_looked_for() {
    for (arguments, named) in [
        (
            vec!["--prompt", "x", "--prefill-budget", "0%"],
            "prefill.budget is",
        ),
        (
            vec!["--prompt", "x", "--decode-budget", "many"],
            "decode.budget is",
        ),
        (vec!["--prompt", "x", "--prompt-file", "y"], "--prompt-file"),
        (vec![], "--prompt"),
        (vec!["--prompt", "x", "--raw", "--system", "y"], "--system"),
        (vec!["--prompt", "x", "--top-p", "2"], "top_p is 2"),
        (
            vec!["--prompt", "x", "--max-new-tokens", "0"],
            "max_new_tokens is 0",
        ),
        (vec!["--prompt", "x", "--kernel", "4"], "kernel is 4"),
        (
            vec![
                "--prompt",
                "x",
                "--decode-strategy",
                "slide",
                "--decode-budget",
                "200",
            ],
            "decode_budget is 200",
        ),
    ] {
        let arguments = [vec!["--model", "none.gguf"], arguments].concat();
        let said = refused(&arguments, 2);
        assert!(said.contains(named), "{arguments:?}: {said}");
    }
}

#[test]
fn failures_have_a_code_for_machines() {
    let missing = [
        "--model",
        "no/such/file.gguf",
        "--device",
        "cpu",
        "--prompt",
        "x",
    ];
    let said = refused(&missing, 1);
    assert!(
        said.contains("no/such/file.gguf") && said.contains("model-read"),
        "{said}"
    );

    let said = refused(&[&missing[..], &["--json"]].concat(), 1);
    let error: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(error["error"]["code"], "model-read");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("no/such/file.gguf"), "{message}");

    let unread = [
        "--model",
        "x",
        "--prompt-file",
        "no/such/prompt.txt",
        "--json",
    ];
    let error: Value = serde_json::from_str(&refused(&unread, 1)).unwrap();
    assert_eq!(error["error"]["code"], "prompt-unreadable");
}
