//! The place of results in a Markdown file.

use std::path::{Path, PathBuf};

use clap::Args;

#[derive(Args)]
pub struct ReadmeArguments {
    /// Markdown file for the tables, such as docs/quality.md; they replace the text between <!--
    /// NAME --> and <!-- /NAME -->, where NAME is --section. `eval fidelity` also writes its plot,
    /// NAME.svg, beside the file
    #[arg(long, value_name = "PATH")]
    readme: Option<PathBuf>,
    /// Section of --readme; `trace` or `fidelity` by default
    #[arg(long, value_name = "NAME", value_parser = section)]
    section: Option<String>,
}

impl ReadmeArguments {
    /// File and section, if a file is to be written.
    pub fn place<'a>(&'a self, usual: &'a str) -> Option<(&'a Path, &'a str)> {
        let section = self.section.as_deref().unwrap_or(usual);
        self.readme.as_deref().map(|file| (file, section))
    }
}

/// A word that can also be part of a file name.
fn section(text: &str) -> Result<String, String> {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter == '-';
    if text.is_empty() || !text.chars().all(plain) {
        return Err("not of the letters a to z and hyphens".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_no_path() {
        assert_eq!(section("fidelity-splits"), Ok("fidelity-splits".to_owned()));
        for wrong in ["", "../x", "a b", "A", "-->"] {
            assert!(section(wrong).is_err(), "{wrong}");
        }
    }
}
