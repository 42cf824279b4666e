//! WGSL of the folder `shaders`, without the comments: the module would carry them to every page.

/// Text of a file in `shaders`, by its path there.
macro_rules! shader {
    ($($path:tt)+) => {{
        const TEXT: &str =
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $($path)+));
        const CODE: &[u8] = &$crate::shaders::code::<{ $crate::shaders::code_length(TEXT) }>(TEXT);
        const WGSL: &str = $crate::shaders::as_text(CODE);
        WGSL
    }};
}
pub(crate) use shader;

/// Bytes of `text` in lines that are more than a comment.
pub(crate) const fn code_length(text: &str) -> usize {
    let text = text.as_bytes();
    let (mut at, mut length) = (0, 0);
    while at < text.len() {
        let end = line_end(text, at);
        if !is_comment(text, at) {
            length += end - at;
        }
        at = end;
    }
    length
}

/// Lines of `text` that are more than a comment; `LENGTH` is their [`code_length`].
///
/// Comments behind code stay: templates divide by `//`.
pub(crate) const fn code<const LENGTH: usize>(text: &str) -> [u8; LENGTH] {
    let text = text.as_bytes();
    let mut code = [0; LENGTH];
    let (mut at, mut length) = (0, 0);
    while at < text.len() {
        let end = line_end(text, at);
        if is_comment(text, at) {
            at = end;
        }
        while at < end {
            code[length] = text[at];
            length += 1;
            at += 1;
        }
    }
    code
}

/// Lines of a text as text again.
pub(crate) const fn as_text(lines: &[u8]) -> &str {
    match std::str::from_utf8(lines) {
        Ok(text) => text,
        Err(_) => panic!("whole lines of UTF-8 are UTF-8"),
    }
}

/// Index after the line of `text` that `at` lies in.
const fn line_end(text: &[u8], mut at: usize) -> usize {
    while at < text.len() && text[at] != b'\n' {
        at += 1;
    }
    if at < text.len() { at + 1 } else { at }
}

/// True if the line of `text` from `at` on begins with a comment.
const fn is_comment(text: &[u8], mut at: usize) -> bool {
    while at < text.len() && text[at] == b' ' {
        at += 1;
    }
    at + 1 < text.len() && text[at] == b'/' && text[at + 1] == b'/'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_comment_are_left_out_and_all_others_stay() {
        const TEXT: &str =
            "// α\nfn main() {\n    // β\n\n    let half = {{ n // 2 }}; // γ\n}\n//";
        const CODE: [u8; code_length(TEXT)] = code(TEXT);
        assert_eq!(
            as_text(&CODE),
            "fn main() {\n\n    let half = {{ n // 2 }}; // γ\n}\n"
        );
    }

    #[test]
    fn a_text_without_comments_stays_as_it_is() {
        for text in ["", "\n", "fn main() {}", "/", "  /\n"] {
            assert_eq!(code_length(text), text.len(), "{text:?}");
        }
        const LAST: &str = "/\n a / b";
        assert_eq!(as_text(&code::<{ code_length(LAST) }>(LAST)), LAST);
    }

    #[test]
    fn a_shader_keeps_its_entry_point_and_loses_its_comments() {
        let wgsl = shader!("rms_norm.wgsl");
        assert!(wgsl.contains("fn main("), "{wgsl}");
        let comments = wgsl
            .lines()
            .filter(|line| line.trim_start().starts_with("//"));
        assert_eq!(comments.count(), 0);
    }
}
