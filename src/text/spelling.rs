//! The spelling of bytes in a vocabulary's tokens.

use super::TextError;
use tokenizers::normalizers::{NormalizerWrapper, Replace};

/// The way a vocabulary writes bytes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// GPT-2's: a printable character for each byte.
    ByteLevel,
    /// SentencePiece's: text, with `▁` for a space and `<0xNN>` for a byte.
    SentencePiece {
        /// The space put before a text is removed again.
        strip_space: bool,
    },
}

impl Spelling {
    /// The bytes that a token of this text stands for.
    pub(super) fn bytes(self, text: &str) -> Vec<u8> {
        match self {
            // A token with a character outside the alphabet was added as plain text.
            Self::ByteLevel => text
                .chars()
                .map(byte)
                .collect::<Option<_>>()
                .unwrap_or_else(|| text.as_bytes().to_vec()),
            Self::SentencePiece { .. } => match fallback_byte(text) {
                Some(byte) => vec![byte],
                None => text.replace('▁', " ").into_bytes(),
            },
        }
    }
}

/// The step that spells spaces as SentencePiece does.
pub(super) fn spaces() -> Result<NormalizerWrapper, TextError> {
    let spaces = Replace::new(" ", "▁").map_err(TextError::encode)?;
    Ok(NormalizerWrapper::Replace(spaces))
}

/// The byte that GPT-2's alphabet writes as `character`. Printable Latin-1 stands for itself; the
/// other 68 bytes follow from U+0100 in their order (`bytes_to_unicode` in
/// <https://github.com/openai/gpt-2/blob/master/src/encoder.py>).
fn byte(character: char) -> Option<u8> {
    let code = u32::from(character);
    match code {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => u8::try_from(code).ok(),
        0x100..=0x120 => u8::try_from(code - 0x100).ok(),
        0x121..=0x142 => u8::try_from(code - 0x121 + 0x7f).ok(),
        0x143 => Some(0xad),
        _ => None,
    }
}

/// The byte of a token such as `<0x0A>`.
pub(super) fn fallback_byte(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    let hex = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    hex.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the published loop, which numbers unprintable bytes as it meets them.
    #[test]
    fn the_alphabet_is_gpt_2s() {
        let mut next = 0x100;
        for value in 0..=255_u8 {
            let printable = matches!(value, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
            let code = if printable { u32::from(value) } else { next };
            next += u32::from(!printable);
            assert_eq!(byte(char::from_u32(code).unwrap()), Some(value));
        }
        assert_eq!(byte(char::from_u32(next).unwrap()), None);
        for no_byte in [' ', '\n', '\u{7f}', '\u{a0}', '\u{ad}', '▁', '｜'] {
            assert_eq!(byte(no_byte), None, "{no_byte:?}");
        }
    }

    #[test]
    fn byte_tokens_are_exact() {
        assert_eq!(fallback_byte("<0x0A>"), Some(10));
        assert_eq!(fallback_byte("<0xff>"), Some(255));
        for other in [
            "<0x+A>", "<0x>", "<0xA>", "<0x0AA>", "<0x0A", "0x0A>", "<0xé>",
        ] {
            assert_eq!(fallback_byte(other), None, "{other}");
        }
    }
}
