//! Progress bars, on the standard error if that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// Bytes of the model's files.
pub fn bytes() -> ProgressBar {
    bar("loading {wide_bar} {bytes} of {total_bytes} ({bytes_per_sec})")
}

/// Tokens of the prompt.
pub fn tokens() -> ProgressBar {
    bar("prompt  {wide_bar} {pos} of {len} tokens ({per_sec})")
}

/// Programs of an evaluation.
pub fn programs(count: u64) -> ProgressBar {
    let bar = bar("programs {wide_bar} {pos} of {len}, {eta} to go");
    bar.set_length(count);
    bar
}

/// Tokens of all examples of an evaluation, prompts included.
pub fn examples(tokens: u64) -> ProgressBar {
    let bar = bar("{msg} {wide_bar} {percent} %, {elapsed} gone, {eta} to go");
    bar.set_length(tokens);
    bar
}

fn bar(template: &str) -> ProgressBar {
    // indicatif draws nothing without a terminal.
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
