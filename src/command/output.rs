//! Standard output: the text itself, or a line of JSON per token.

use std::io::{ErrorKind, Write};

use kvscope::generate::{Step, Summary};
use serde::Serialize;

use super::failure::Failure;

/// A line of `--json`.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line<'a> {
    Step(&'a Step),
    Summary {
        #[serde(flatten)]
        summary: &'a Summary,
        text: &'a str,
    },
}

/// Writes a generation as it comes.
pub struct Output<W> {
    to: W,
    json: bool,
    /// The reader has gone.
    closed: bool,
}

impl<W: Write> Output<W> {
    pub fn new(to: W, json: bool) -> Self {
        Self {
            to,
            json,
            closed: false,
        }
    }

    /// Returns whether it is for programs.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Returns whether the reader has gone: the generation may as well end.
    pub fn closed(&self) -> bool {
        self.closed
    }

    pub fn step(&mut self, step: &Step) -> Result<(), Failure> {
        if self.json {
            self.line(&Line::Step(step))
        } else {
            self.write(step.text.as_bytes())
        }
    }

    /// Writes the end: `rest` is the text that no step had.
    pub fn end(&mut self, rest: &str, text: &str, summary: &Summary) -> Result<(), Failure> {
        if self.json {
            self.line(&Line::Summary { summary, text })
        } else {
            let end = if text.ends_with('\n') { "" } else { "\n" };
            self.write(format!("{rest}{end}").as_bytes())
        }
    }

    fn line(&mut self, line: &Line<'_>) -> Result<(), Failure> {
        let mut json = serde_json::to_vec(line).map_err(|error| Failure::Output(error.into()))?;
        json.push(b'\n');
        self.write(&json)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.closed {
            return Ok(());
        }
        match self.to.write_all(bytes).and_then(|()| self.to.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            written => written.map_err(Failure::Output),
        }
    }
}
