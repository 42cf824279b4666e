//! Text from files and callers, made fit for an error message: escaped and shortened.

/// Text from a file for an error message: quoted, escaped, and at most a line.
pub(crate) fn quoted(text: &str) -> String {
    format!("{:?}", cut(text, 64))
}

/// A message that may quote a file, already escaped, cut to two lines.
pub(crate) fn shortened(message: &str) -> String {
    cut(message, 160)
}

fn cut(text: &str, most: usize) -> String {
    let mut shown: String = text.chars().take(most).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_escape_and_shorten() {
        assert_eq!(quoted("a\n\u{1b}[31m"), r#""a\n\u{1b}[31m""#);
        assert_eq!(quoted(&"é".repeat(64)), format!("\"{}\"", "é".repeat(64)));
        assert_eq!(quoted(&"é".repeat(65)), format!("\"{}…\"", "é".repeat(64)));
    }
}
