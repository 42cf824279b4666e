//! Progress on the standard error: bars if that is a terminal.

use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

/// Time between the lines of a long evaluation where there is no terminal.
const QUIET: Duration = Duration::from_secs(60);

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
///
/// It may run for hours in the background. Where no bar is drawn it writes a line each minute.
pub struct Examples {
    bar: ProgressBar,
    count: usize,
    /// Number of the running example, from 1.
    number: usize,
    told: Instant,
}

impl Examples {
    /// Progress over `count` examples of `tokens` tokens together.
    pub fn new(count: usize, tokens: u64) -> Self {
        let bar = bar("{msg} {wide_bar} {percent} %, {elapsed} gone, {eta} to go");
        bar.set_length(tokens);
        Self {
            bar,
            count,
            number: 0,
            told: Instant::now(),
        }
    }

    /// Begins the next example.
    pub fn next(&mut self) {
        self.number += 1;
        self.bar.set_message(self.example());
    }

    /// Sets the number of tokens taken, of all examples.
    pub fn set(&mut self, taken: u64) {
        self.bar.set_position(taken);
        if self.bar.is_hidden() && self.told.elapsed() >= QUIET {
            self.told = Instant::now();
            eprintln!(
                "{}: {taken} of {} tokens, {} gone, {} to go",
                self.example(),
                self.bar.length().unwrap_or_default(),
                HumanDuration(self.bar.elapsed()),
                HumanDuration(self.bar.eta())
            );
        }
    }

    /// Ends it.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn example(&self) -> String {
        format!("example {} of {}", self.number, self.count)
    }
}

fn bar(template: &str) -> ProgressBar {
    // indicatif draws nothing without a terminal.
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
