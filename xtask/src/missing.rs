//! What this machine lacks and setup could not get, said in one line.

use std::fmt;

/// Something that has to be got by hand.
#[derive(Debug)]
pub struct Missing {
    /// What is missing, and what was found instead if anything.
    pub what: String,
    /// What it is for.
    pub why: &'static str,
    pub linux: &'static str,
    pub macos: &'static str,
    pub windows: &'static str,
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            why,
            linux,
            macos,
            windows,
        } = self;
        write!(formatter, "missing: {what}; needed because {why}. ")?;
        write!(
            formatter,
            "Linux: {linux}. macOS: {macos}. Windows: {windows}."
        )
    }
}

impl std::error::Error for Missing {}
