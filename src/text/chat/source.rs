//! A template's source before it is compiled: its control tokens become marks.

use super::mark;
use crate::text::TextError;
use crate::text::added::{AddedTokens, Kind};
use std::borrow::Cow;
use std::ops::Range;

/// Part of a template's source.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Text outside braces, written as it is.
    Data,
    /// Code within braces, with their closing ones.
    Code(&'static str),
    /// A string in code, with its quotes.
    Text(char, &'static str),
    Comment,
}

/// A source with `\n` for every line end, as Jinja2 takes it (`Lexer.tokeniter` of
/// <https://github.com/pallets/jinja>).
pub(super) fn with_unix_lines(source: &str) -> Cow<'_, str> {
    if source.contains('\r') {
        Cow::Owned(source.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(source)
    }
}

/// Rewrites a source for compilation.
///
/// - Control tokens in its text and in its code's strings become marks.
/// - Values that it assigns are [`weighed`](super::value::weighed).
/// - `transformers`' `{% generation %}` blocks, which write nothing, become blocks that Jinja has.
pub(super) fn marked(source: &str, added: &AddedTokens) -> String {
    let controls = added.find(source, 0..source.len(), |kind| {
        matches!(kind, Kind::Control | Kind::Unknown)
    });
    let mut controls = controls.into_iter().peekable();
    let mut marked = String::with_capacity(source.len() + 8 * controls.len());
    let (mut part, mut weighed) = (Part::Data, 0..0);
    let mut at = 0;
    while let Some(character) = source[at..].chars().next() {
        let rest = &source[at..];
        while controls.next_if(|(range, _)| range.start < at).is_some() {}
        if matches!(part, Part::Data | Part::Text(..))
            && let Some((range, id)) = controls.next_if(|(range, _)| range.start == at)
        {
            marked.push_str(&mark::of(id));
            at = range.end;
            continue;
        }
        if !weighed.is_empty() && at == weighed.start {
            marked.push('(');
        }
        if !weighed.is_empty() && at == weighed.end {
            marked.push_str(")|weighed ");
        }
        let (next, length) = step(part, rest, character);
        marked.push_str(&mark::escaped(&rest[..length]));
        at += length;
        if (part, next) == (Part::Data, Part::Code("%}")) {
            let (instead, taken) = block(&source[at..]);
            marked.push_str(instead);
            at += taken;
            let value = assigned(&source[at..]).unwrap_or_default();
            weighed = at + value.start..at + value.end;
        }
        part = next;
    }
    marked
}

/// Most blocks and expressions in a template; long ones have a few hundred. Each `elif` nests in
/// the one before.
const MOST_PARTS: usize = 1000;
/// Most bytes of code per block, strings and white space not counted; long ones have a few hundred.
/// An operator may nest with every byte, and walking the expression takes stack per level.
const MOST_CODE: usize = 2000;

/// Refuses a source that nests deeper than a stack allows. minijinja limits brackets, but not
/// operators.
pub(super) fn check(source: &str) -> Result<(), TextError> {
    let (mut part, mut parts, mut code) = (Part::Data, 0, 0);
    let mut at = 0;
    while let Some(character) = source[at..].chars().next() {
        let (next, length) = step(part, &source[at..], character);
        match (part, next) {
            (Part::Data, Part::Code(_)) => (parts, code) = (parts + 1, 0),
            (Part::Code(_), Part::Code(_)) if !character.is_whitespace() => code += length,
            _ => {}
        }
        if parts > MOST_PARTS || code > MOST_CODE {
            let most = format!("{MOST_PARTS} blocks of {MOST_CODE} bytes of code");
            return Err(TextError::template(&format!("it has more than {most}")));
        }
        at += length;
        part = next;
    }
    Ok(())
}

/// The range of the assigned value inside a block, if the block assigns one.
fn assigned(inside: &str) -> Option<Range<usize>> {
    let name = inside.trim_start_matches(['-', '+']).trim_start();
    let after = name.strip_prefix("set")?;
    after.chars().next().filter(|next| next.is_whitespace())?;
    let (mut part, mut begin, mut depth) = (Part::Code("%}"), None, 0_i32);
    let mut at = inside.len() - after.len();
    while let Some(character) = inside[at..].chars().next() {
        let (next, length) = step(part, &inside[at..], character);
        if next == Part::Data {
            let value = inside[..at].trim_end_matches(['-', '+']);
            return begin.map(|begin| begin..value.len().max(begin));
        }
        if part == next {
            match character {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth -= 1,
                // No other `=` can precede it: a target is a name.
                '=' if depth == 0 && begin.is_none() => begin = Some(at + length),
                _ => {}
            }
        }
        at += length;
        part = next;
    }
    None
}

/// The part after the next few bytes, and the number of these bytes.
fn step(part: Part, rest: &str, character: char) -> (Part, usize) {
    let one = character.len_utf8();
    match part {
        Part::Data if rest.starts_with("{{") => (Part::Code("}}"), 2),
        Part::Data if rest.starts_with("{%") => (Part::Code("%}"), 2),
        Part::Data if rest.starts_with("{#") => (Part::Comment, 2),
        Part::Comment if rest.starts_with("#}") => (Part::Data, 2),
        Part::Code(end) if rest.starts_with(end) => (Part::Data, end.len()),
        Part::Code(end) if matches!(character, '"' | '\'') => (Part::Text(character, end), one),
        Part::Text(quote, end) if character == quote => (Part::Code(end), one),
        Part::Text(..) if character == '\\' => {
            let escaped = rest[one..].chars().next().map_or(0, char::len_utf8);
            (part, one + escaped)
        }
        Part::Data | Part::Code(_) | Part::Text(..) | Part::Comment => (part, one),
    }
}

/// The replacement for the inside of a `generation` or `endgeneration` block, and the bytes it
/// replaces.
fn block(inside: &str) -> (&'static str, usize) {
    let name = inside.trim_start_matches(['-', '+']).trim_start();
    let (name_length, open, close) = if name.starts_with("generation") {
        ("generation".len(), "-if true ", "if true ")
    } else if name.starts_with("endgeneration") {
        ("endgeneration".len(), "-endif ", "endif ")
    } else {
        return ("", 0);
    };
    let after = name[name_length..].trim_start();
    if !after.trim_start_matches(['-', '+']).starts_with("%}") {
        return ("", 0);
    }
    let instead = if inside.starts_with('-') { open } else { close };
    (instead, inside.len() - name.len() + name_length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::added::Added;

    fn marked(source: &str) -> String {
        let mut added = AddedTokens::default();
        for (id, text) in ["<s>", "'</s>", "if", "<t>"].into_iter().enumerate() {
            let kind = if text == "<t>" {
                Kind::UserDefined
            } else {
                Kind::Control
            };
            assert!(added.insert(id as u32, Added::new(text, kind)));
        }
        super::marked(source, &added)
    }

    #[test]
    fn control_tokens_become_marks_in_text_and_strings_only() {
        let m = |id| mark::of(id);
        for (source, expected) in [
            ("<s>é<t>".to_owned(), format!("{}é<t>", m(0))),
            ("{{ '<s>' }}".to_owned(), format!("{{{{ '{}' }}}}", m(0))),
            ("{% if a %}if".to_owned(), format!("{{% if a %}}{}", m(2))),
            ("{# <s> #}<s>".to_owned(), format!("{{# <s> #}}{}", m(0))),
            (r"{{ '\\'<s> }}".to_owned(), r"{{ '\\'<s> }}".to_owned()),
            (
                r"{{ '\'<s>' }}".to_owned(),
                format!(r"{{{{ '\'{}' }}}}", m(0)),
            ),
            (
                r#"{{ "\"<s>" }}"#.to_owned(),
                format!(r#"{{{{ "\"{}" }}}}"#, m(0)),
            ),
            (
                "{{ '}}<s>' }}<s>".to_owned(),
                format!("{{{{ '}}}}{}' }}}}{}", m(0), m(0)),
            ),
            ("{{ '</s>' }}".to_owned(), "{{ '</s>' }}".to_owned()),
        ] {
            assert_eq!(marked(&source), expected, "{source}");
        }
    }

    #[test]
    fn noncharacters_in_a_template_are_no_marks() {
        let source = format!("{}{{{{ '{}' }}}}", mark::of(0), mark::of(1));
        let written = marked(&source);
        assert!(!written.contains(&mark::of(0)) && !written.contains(&mark::of(1)));
    }

    #[test]
    fn generation_blocks_are_blocks_that_are_always_taken() {
        assert_eq!(
            marked("{%- generation -%}x{% endgeneration %}{% generations %}"),
            "{%-if true  -%}x{%endif  %}{% generations %}"
        );
    }

    #[test]
    fn values_are_weighed_where_they_are_assigned() {
        for (source, expected) in [
            ("{% set a = b %}", "{% set a =( b )|weighed %}"),
            (
                "{%- set n.a=[1, '='] -%}",
                "{%- set n.a=([1, '='] )|weighed -%}",
            ),
            ("{%set a = 1, 2%}x=y", "{%set a =( 1, 2)|weighed %}x=y"),
            ("{% set a = '%}<s>' %}", "{% set a =( '%}M' )|weighed %}"),
            ("{% set a = b == c %}", "{% set a =( b == c )|weighed %}"),
            (
                "{% set a %}b = c{% endset %}",
                "{% set a %}b = c{% endset %}",
            ),
            ("{% set a | f(b='c') %}", "{% set a | f(b='c') %}"),
            ("{% settle a = b %}", "{% settle a = b %}"),
            ("{% set a = b", "{% set a = b"),
            ("{% if set == b %}", "{% if set == b %}"),
        ] {
            assert_eq!(
                marked(source),
                expected.replace('M', &mark::of(0)),
                "{source}"
            );
        }
    }

    #[test]
    fn what_is_never_closed_ends_with_the_source() {
        for source in ["{{ 'a", "{%", "{# ", r"{{ '\", "{{ \"", "{%- generation"] {
            assert_eq!(marked(source), source);
        }
    }
}
