//! The stages of a long command: announced, timed, and listed at the end.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Outcome of a stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Passed,
    Failed,
    NotRun,
}

/// Stages run so far.
pub struct Stages {
    keep_going: bool,
    done: Vec<(String, Duration, End)>,
}

impl Stages {
    /// Creates an empty list. With `keep_going`, a failed stage does not stop those after it.
    pub fn new(keep_going: bool) -> Self {
        Self {
            keep_going,
            done: Vec::new(),
        }
    }

    pub fn run(&mut self, name: &str, stage: impl FnOnce() -> Result<()>) {
        if self.failed() && !self.keep_going {
            self.done
                .push((name.to_owned(), Duration::ZERO, End::NotRun));
            return;
        }
        eprintln!("\n== {name}");
        let start = Instant::now();
        let result = stage();
        let took = start.elapsed();
        let end = match result {
            Ok(()) => End::Passed,
            Err(error) => {
                eprintln!("error: {name}: {error:#}");
                End::Failed
            }
        };
        eprintln!("== {name}: {} in {}", word(end), clock(took));
        self.done.push((name.to_owned(), took, end));
    }

    fn failed(&self) -> bool {
        self.done.iter().any(|(_, _, end)| *end == End::Failed)
    }

    /// Prints the time of each stage; an error if one failed.
    pub fn finish(self) -> Result<()> {
        let widest = self
            .done
            .iter()
            .map(|(name, ..)| name.len())
            .max()
            .unwrap_or(0);
        eprintln!();
        for (name, took, end) in &self.done {
            eprintln!("  {name:widest$}  {:>8}  {}", clock(*took), word(*end));
        }
        let total = self.done.iter().map(|(_, took, _)| *took).sum();
        eprintln!("  {:widest$}  {:>8}", "total", clock(total));
        let failed: Vec<_> = self
            .done
            .iter()
            .filter(|(_, _, end)| *end == End::Failed)
            .collect();
        if !failed.is_empty() {
            let names: Vec<&str> = failed.iter().map(|(name, ..)| name.as_str()).collect();
            bail!("failed: {}", names.join(", "));
        }
        Ok(())
    }
}

fn word(end: End) -> &'static str {
    match end {
        End::Passed => "passed",
        End::Failed => "failed",
        End::NotRun => "not run",
    }
}

/// Minutes and seconds, with tenths below a minute.
fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_runs_after_a_failure() {
        let mut ran = Vec::new();
        let mut stages = Stages::new(false);
        stages.run("first", || bail!("broken"));
        stages.run("second", || {
            ran.push("second");
            Ok(())
        });
        let error = stages.finish().expect_err("the first stage failed");
        assert_eq!(error.to_string(), "failed: first");
        assert!(ran.is_empty());
    }

    #[test]
    fn keep_going_runs_the_rest_and_still_fails() {
        let mut ran = Vec::new();
        let mut stages = Stages::new(true);
        stages.run("first", || bail!("broken"));
        stages.run("second", || {
            ran.push("second");
            Ok(())
        });
        assert!(stages.finish().is_err());
        assert_eq!(ran, ["second"]);
    }

    #[test]
    fn durations_read_like_a_clock() {
        assert_eq!(clock(Duration::from_millis(3_240)), "3.2 s");
        assert_eq!(clock(Duration::from_secs(60)), "1 min 00 s");
        assert_eq!(clock(Duration::from_secs(3_725)), "62 min 05 s");
    }
}
