//! The marks that stand for control tokens while a template runs.
//!
//! A mark is U+FDD0, the token's number, U+FDD2: noncharacters, which Unicode keeps for a program's
//! own use. A message or template that already holds one gets U+FDD1 and a digit in its place. So
//! nothing but this file makes a mark.

use crate::text::TextError;
use crate::text::added::Found;
use std::borrow::Cow;

const BEGIN: char = '\u{fdd0}';
const ESCAPE: char = '\u{fdd1}';
const END: char = '\u{fdd2}';

/// The mark of a token.
pub(super) fn of(id: u32) -> String {
    format!("{BEGIN}{id}{END}")
}

/// Escapes a text: nothing in the result is a mark or part of one.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains([BEGIN, ESCAPE, END]) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            BEGIN => escaped.extend([ESCAPE, '0']),
            ESCAPE => escaped.extend([ESCAPE, '1']),
            END => escaped.extend([ESCAPE, '2']),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

/// A conversation as a template writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::text) struct Rendered {
    /// The text, with control tokens as they are shown.
    pub(in crate::text) text: String,
    /// Control tokens that the template wrote, with their byte ranges.
    pub(in crate::text) controls: Vec<Found>,
}

/// Replaces the marks in a template's output by the text of their tokens, from `shown`.
pub(super) fn read<'a>(
    written: &str,
    shown: impl Fn(u32) -> Option<&'a str>,
) -> Result<Rendered, TextError> {
    let mut text = String::with_capacity(written.len());
    let mut controls = Vec::new();
    let mut rest = written;
    while let Some(at) = rest.find([BEGIN, ESCAPE, END]) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let begin = text.len();
        if let Some(character) = unescaped(rest) {
            text.push(character);
            rest = &rest[ESCAPE.len_utf8() + 1..];
        } else if let Some((id, after)) = mark(rest) {
            let token = shown(id).ok_or_else(in_pieces)?;
            text.push_str(token);
            controls.push((begin..text.len(), id));
            rest = after;
        } else if let Some(after) = rest.strip_prefix(ESCAPE) {
            // The template split a noncharacter's escape. No message suffers from that.
            rest = after;
        } else {
            return Err(in_pieces());
        }
    }
    text.push_str(rest);
    Ok(Rendered { text, controls })
}

fn in_pieces() -> TextError {
    TextError::template("it takes the text of a control token apart")
}

/// The escaped noncharacter at the beginning of `rest`.
fn unescaped(rest: &str) -> Option<char> {
    match rest.strip_prefix(ESCAPE)?.as_bytes().first()? {
        b'0' => Some(BEGIN),
        b'1' => Some(ESCAPE),
        b'2' => Some(END),
        _ => None,
    }
}

/// The mark at the beginning of `rest`, and the rest after it.
fn mark(rest: &str) -> Option<(u32, &str)> {
    let (digits, after) = rest.strip_prefix(BEGIN)?.split_once(END)?;
    let id: u32 = digits.parse().ok()?;
    // Not `+7` or `07`: only what `of` writes.
    (id.to_string() == digits).then_some((id, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(id: u32) -> Option<&'static str> {
        ["<s>", "</s>"].get(id as usize).copied()
    }

    #[test]
    fn marks_come_back_as_tokens_and_noncharacters_as_they_were() {
        let user = "a\u{fdd0}1\u{fdd2}\u{fdd1}0<s>";
        let written = format!("{}{}{}", of(0), escaped(user), of(1));
        let rendered = read(&written, shown).unwrap();
        assert_eq!(rendered.text, format!("<s>{user}</s>"));
        let end = rendered.text.len();
        assert_eq!(rendered.controls, [(0..3, 0), (end - 4..end, 1)]);
    }

    #[test]
    fn marks_in_pieces_are_errors() {
        for written in ["\u{fdd0}", "\u{fdd0}1", "1\u{fdd2}", "\u{fdd0}+1\u{fdd2}"] {
            assert_eq!(read(written, shown).unwrap_err().code(), "chat-template");
        }
        assert!(read(&of(2), shown).is_err(), "no such token");
    }
}
