//! A conversation with the command, against fresh computation of each of its questions.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use kvscope::cache::CacheOptions;
use kvscope::engine::{Engine, OpenOptions, Prompt};
use kvscope::formats::BlockFormat;
use kvscope::generate::GenerateConfig;
use kvscope::text::Message;
use pollster::block_on;

use crate::support::model_folder;
use crate::support::tiny_model::TinyModel;
use crate::support::tiny_model::sizes::{LLAMA, Sizes};

const SIZES: Sizes = Sizes {
    context: 1024,
    ..LLAMA
};
const TOKENS: usize = 6;

/// The standard output and error of a chat that is told `lines`.
fn chat(model: &Path, lines: &[&str]) -> [String; 2] {
    let (success, said) = chat_with(model, &["--system", "Be brief."], lines);
    assert!(success);
    said
}

/// Success of a chat with `arguments` that is told `lines`, its standard output and error.
fn chat_with(model: &Path, arguments: &[&str], lines: &[&str]) -> (bool, [String; 2]) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kvscope"))
        .args(["chat", "--device", "cpu", "--ignore-eos", "--model"])
        .arg(model)
        .args(["--max-new-tokens", &TOKENS.to_string()])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stdin = child.stdin.take().unwrap();
    // A chat that has failed reads nothing.
    let _ = stdin.write_all(lines.join("\n").as_bytes());
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.success(), said)
}

/// Answers by the library, each in a new cache.
struct Asked<'a> {
    engine: &'a Engine,
    messages: Vec<Message>,
    shown: String,
}

impl Asked<'_> {
    fn ask(&mut self, text: &str) {
        self.messages.push(Message::new("user", text));
        let mut cache = self.engine.cache(&CacheOptions::default()).unwrap();
        let config = GenerateConfig {
            ignore_eos: true,
            ..GenerateConfig::default().with_max_new_tokens(TOKENS)
        };
        let prompt = Prompt::Chat(self.messages.clone());
        let generation = self.engine.continuation(&prompt, &mut cache, config);
        let mut generation = generation.unwrap();
        while block_on(generation.next()).unwrap().is_some() {}
        let answer = generation.text();
        self.shown += answer;
        self.shown += if answer.ends_with('\n') { "" } else { "\n" };
        self.messages.push(Message::new("assistant", answer));
    }
}

#[test]
fn answers_are_those_of_the_same_questions_asked_afresh() {
    let path = model_folder::empty("chat").join("tiny.gguf");
    let tiny = TinyModel::new(SIZES, BlockFormat::F32);
    fs::write(&path, tiny.gguf().bytes()).unwrap();
    let engine = block_on(Engine::open(&path, OpenOptions::cpu())).unwrap();
    let mut asked = Asked {
        engine: &engine,
        messages: vec![Message::new("system", "Be brief.")],
        shown: String::new(),
    };

    asked.ask("Who are you?");
    let trunk = asked.messages.clone();
    asked.ask("And I?");
    asked.messages.truncate(trunk.len());
    asked.ask("And they?");
    let main = asked.messages.clone();
    asked.ask("And we?");
    asked.messages = main;
    asked.ask("And it?");
    let [answers, said] = chat(
        &path,
        &[
            "Who are you?",
            "And I?",
            "/rewind",
            "And they?",
            "/fork other",
            "And we?",
            "/branch main",
            "And it?",
            "/history",
            "/branch",
            "/memory",
            "",
            "/unheard of",
            "/quit",
            "Never asked",
        ],
    );
    assert_eq!(answers, asked.shown);
    // All but the first go on from what is held.
    assert_eq!(said.matches(" of them held").count(), 4);
    for expected in [
        "system: Be brief.",
        "user: And it?",
        "* main: 7 messages",
        "  other: 7 messages",
        "with a full cache in f16",
        "/rewind [TURNS]",
    ] {
        assert!(said.contains(expected), "{expected} is not in {said}");
    }
    assert!(!said.contains("And we?"));
}

#[test]
fn other_rules_begin_anew_and_what_is_wrong_ends_nothing() {
    let path = model_folder::empty("chat-policy").join("tiny.gguf");
    let tiny = TinyModel::new(SIZES, BlockFormat::F32);
    fs::write(&path, tiny.gguf().bytes()).unwrap();
    let long = "a".repeat(2000);
    let [answers, said] = chat(
        &path,
        &[
            "/policy decode-strategy=slide decode-budget=4 recent=2",
            "Who?",
            "/policy decode-strategy=best",
            "/policy decode-strategy=slide decode-budget=2 recent=4",
            &long,
            "/fork main",
            "/branch none",
            "/rewind 9",
            "Who?",
        ],
    );
    let answers: Vec<&str> = answers.lines().collect();
    assert_eq!(answers.len() % 2, 0);
    let (first, second) = answers.split_at(answers.len() / 2);
    assert_eq!(first, second);
    for expected in [
        r#""strategy":"slide""#,
        "best",
        "prompt-too-long",
        "there is a branch main already",
        "there is no branch none",
        "1 messages are left",
    ] {
        assert!(said.contains(expected), "{expected} is not in {said}");
    }
}

#[test]
fn a_session_s_file_is_gone_on_from() {
    let folder = model_folder::empty("chat-session");
    let path = folder.join("tiny.gguf");
    let tiny = TinyModel::new(SIZES, BlockFormat::F32);
    fs::write(&path, tiny.gguf().bytes()).unwrap();
    let [document, file] = ["document.txt", "chat.kvsession"].map(|name| folder.join(name));
    fs::write(
        &document,
        "The keeper lit the lamp, and went down to the boats.\n",
    )
    .unwrap();
    let [document, file] = [&document, &file].map(|path| path.to_str().unwrap());
    let arguments = [
        ["--session", file, "--document", document],
        ["--prefill-method", "h2o", "--prefill-budget", "40"],
    ]
    .concat();
    let run = |lines: &[&str]| {
        let (success, said) = chat_with(&path, &arguments, lines);
        assert!(success, "{said:?}");
        said
    };
    let [whole, _] = run(&["Who lit it?", "When?", "/fork", "Why?"]);
    fs::remove_file(file).unwrap();
    let [first, _] = run(&["Who lit it?", "When?"]);
    let [second, said] = run(&["Why?", "/history", "/policy"]);
    assert_eq!(first + &second, whole);
    assert!(said.contains(" of them held"), "{said}");
    assert!(said.contains("user: The keeper lit"), "{said}");
    assert!(said.contains(r#""method":"h2o""#), "{said}");

    let whole = fs::read(file).unwrap();
    for (bytes, code) in [
        (&whole[..whole.len() - 1], "session-corrupt"),
        (b"no session", "session-corrupt"),
    ] {
        fs::write(file, bytes).unwrap();
        let (success, [answers, said]) = chat_with(&path, &arguments, &["Why?"]);
        assert!(!success && answers.is_empty(), "{answers}");
        assert!(said.contains(code), "{said}");
        assert_eq!(fs::read(file).unwrap(), bytes);
    }
    let (success, [_, said]) = chat_with(&path, &["--session", folder.to_str().unwrap()], &[]);
    assert!(!success && said.contains("session-file"), "{said}");
}
