//! The command line as given.

use std::env::args;
use std::path::Path;

/// The command with its arguments, without this machine's own folders.
pub fn invocation() -> String {
    let words = args()
        .skip(1)
        .map(|word| match Path::new(&word).file_name() {
            Some(name) if word.starts_with(['/', '.', '~']) => name.to_string_lossy().into_owned(),
            _ => word,
        });
    let words: Vec<String> = words.map(quoted).collect();
    format!("kvscope {}", words.join(" "))
}

fn quoted(word: String) -> String {
    if word.contains(' ') {
        format!("\"{word}\"")
    } else {
        word
    }
}
