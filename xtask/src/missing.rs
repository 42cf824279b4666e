//! Requirements that this machine lacks and setup could not get, reported in one line.

use std::fmt;

/// A requirement to be installed by hand.
#[derive(Debug)]
pub struct Missing {
    /// The missing part, and the part found instead, if any.
    pub what: String,
    /// Purpose of it.
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
