//! A template's source before it is compiled: its control tokens become marks.

use super::mark;
use crate::text::added::{AddedTokens, Kind};

/// What is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Text that is written as it is, outside of any braces.
    Data,
    /// Code within braces that end with these.
    Code(&'static str),
    /// A string in code, between these quotes.
    Text(char, &'static str),
    Comment,
}

/// The source with every control token that it writes, in its text and in the strings of its code, replaced by its mark,
/// and with `transformers`' `{% generation %}` blocks, which change nothing that is written, as blocks that Jinja has.
pub(super) fn marked(source: &str, added: &AddedTokens) -> String {
    let controls = added.find(source, 0..source.len(), |kind| {
        matches!(kind, Kind::Control | Kind::Unknown)
    });
    let mut controls = controls.into_iter().peekable();
    let mut marked = String::with_capacity(source.len() + 8 * controls.len());
    let mut part = Part::Data;
    let mut at = 0;
    while let Some(character) = source[at..].chars().next() {
        while controls.next_if(|(range, _)| range.start < at).is_some() {}
        let rest = &source[at..];
        if matches!(part, Part::Data | Part::Text(..))
            && let Some((range, id)) = controls.next_if(|(range, _)| range.start == at)
        {
            marked.push_str(&mark::of(id));
            at = range.end;
            continue;
        }
        let (next, length) = step(part, rest, character);
        if part == Part::Data && next == Part::Code("%}") {
            marked.push_str(&rest[..length]);
            at += length;
            let (block, taken) = block(&source[at..]);
            marked.push_str(block);
            at += taken;
        } else {
            marked.push_str(&mark::escaped(&rest[..length]));
            at += length;
        }
        part = next;
    }
    marked
}

/// What comes after the next few bytes, and how many they are.
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

/// For the inside of a `generation` or `endgeneration` block: what stands in its place, and how many bytes are replaced.
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
            (r"{{ '\'<s> }}".to_owned(), r"{{ '\'<s> }}".to_owned()),
            (
                r#"{{ ""<s>" }}"#.to_owned(),
                format!(r#"{{{{ ""{}" }}}}"#, m(0)),
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
    fn what_is_never_closed_ends_with_the_source() {
        for source in ["{{ 'a", "{%", "{# ", r"{{ '", "{{ \"", "{%- generation"] {
            assert_eq!(marked(source), source);
        }
    }
}
