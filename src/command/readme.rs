//! Parts of a Markdown file that a command writes, so that no number is copied by hand.

use std::fs;
use std::path::Path;

use super::failure::Failure;
use super::file;

/// Replaces the text between `<!-- name -->` and `<!-- /name -->` in the file at `path` by `text`.
pub fn put(path: &Path, name: &str, text: &str) -> Result<(), Failure> {
    let text = opened(path, name, text)?;
    file::replace(path, text.as_bytes()).map_err(Failure::Output)
}

/// The file's content with `text` in its place.
fn opened(path: &Path, name: &str, text: &str) -> Result<String, Failure> {
    let unusable = |reason: String| Failure::Readme {
        path: path.to_owned(),
        reason,
    };
    let old = fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    replaced(&old, name, text).map_err(unusable)
}

/// Checks that [`put`] would find its place, before long work on its text.
pub fn check(path: &Path, name: &str) -> Result<(), Failure> {
    opened(path, name, "").map(drop)
}

/// A name as a cell of a table, in which a bar would end it.
pub fn cell(name: &str) -> String {
    name.replace('|', "\\|")
}

/// A share of 1 as a cell of a table.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn replaced(old: &str, name: &str, text: &str) -> Result<String, String> {
    let (begin, end) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    for mark in [&begin, &end] {
        let count = old.matches(mark.as_str()).count();
        if count != 1 {
            return Err(format!("it has {mark} {count} times, once is needed"));
        }
    }
    let (before, rest) = old.split_once(&begin).unwrap_or_default();
    let Some((_, after)) = rest.split_once(&end) else {
        return Err(format!("{end} comes before {begin}"));
    };
    let text = text.trim_matches('\n');
    Ok(format!("{before}{begin}\n\n{text}\n\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let old = "a\n<!-- x -->\nold\n<!-- /x -->\nb <!-- y -->\n";
        let new = replaced(old, "x", "new\n").unwrap();
        assert_eq!(new, "a\n<!-- x -->\n\nnew\n\n<!-- /x -->\nb <!-- y -->\n");
        assert_eq!(replaced(&new, "x", "new").unwrap(), new);
    }

    #[test]
    fn marks_that_are_not_a_pair_are_refused() {
        for old in [
            "",
            "<!-- x -->",
            "<!-- /x --> <!-- x -->",
            "<!-- x --> <!-- x --> <!-- /x -->",
        ] {
            assert!(replaced(old, "x", "new").is_err(), "{old}");
        }
    }
}
