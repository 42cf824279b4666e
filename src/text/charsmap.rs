//! SentencePiece's normalization: characters are replaced by a map, and spaces become `▁`.

use super::TextError;

/// A map from sequences of bytes to their replacements: SentencePiece's `precompiled_charsmap`. It
/// is a trie in an XOR-compressed double array (Kanda, 2018), then the replacements.
#[derive(Debug, Clone)]
pub(super) struct Charsmap {
    units: Vec<u32>,
    /// Each ends with a zero byte.
    replacements: Vec<u8>,
}

impl Charsmap {
    /// Reads a map; its contents are believed no further than their bounds.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, TextError> {
        let wrong = |found: String| {
            TextError::malformed(
                "the precompiled map of characters",
                found,
                "as SentencePiece's",
            )
        };
        let (size, rest) = bytes
            .split_first_chunk::<4>()
            .ok_or_else(|| wrong(format!("{} bytes long", bytes.len())))?;
        let size = u32::from_le_bytes(*size) as usize;
        let (units, replacements) = rest
            .split_at_checked(size)
            .ok_or_else(|| wrong(format!("a trie of {size} bytes in {}", rest.len())))?;
        let (units, _) = units.as_chunks::<4>();
        Ok(Self {
            units: units.iter().map(|unit| u32::from_le_bytes(*unit)).collect(),
            replacements: replacements.to_vec(),
        })
    }

    /// The text with the longest sequence of the map at each place replaced.
    pub(super) fn replaced(&self, text: &str) -> String {
        let mut replaced = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let found = self.longest(rest.as_bytes());
            // A sequence ends where a character does: a map that says otherwise is not followed.
            match found.filter(|(length, _)| rest.is_char_boundary(*length)) {
                Some((length, replacement)) => {
                    replaced.push_str(&String::from_utf8_lossy(replacement));
                    rest = &rest[length..];
                }
                None => {
                    replaced.push(character);
                    rest = &rest[character.len_utf8()..];
                }
            }
        }
        replaced
    }

    /// Length of the longest sequence of the map that `text` begins with, and its replacement.
    fn longest(&self, text: &[u8]) -> Option<(usize, &[u8])> {
        let unit = |node: u32| self.units.get(node as usize).copied();
        let mut found = None;
        let mut node = base(unit(0)?);
        for (index, &byte) in text.iter().enumerate() {
            node ^= u32::from(byte);
            let Some(here) = unit(node).filter(|it| byte != 0 && label(*it) == u32::from(byte))
            else {
                break;
            };
            node ^= base(here);
            if has_leaf(here) {
                found = unit(node).map(|leaf| (index + 1, leaf & 0x7fff_ffff));
            }
        }
        let (length, place) = found?;
        let replacement = self.replacements.get(place as usize..)?;
        let end = replacement.iter().position(|&byte| byte == 0)?;
        Some((length, &replacement[..end]))
    }
}

/// Offset from a node to its children.
fn base(unit: u32) -> u32 {
    (unit >> 10) << ((unit & 0x200) >> 6)
}

/// Byte that leads to a node; a unit that is no node has bit 31 set.
fn label(unit: u32) -> u32 {
    unit & 0x8000_00ff
}

/// True if a sequence ends at a node.
fn has_leaf(unit: u32) -> bool {
    unit & 0x100 != 0
}

/// SentencePiece's treatment of white space, after its map.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spaces {
    /// A text begins with one, before its first other character.
    pub(super) prefix: bool,
    /// Of several in a row one is left, and none at the end.
    pub(super) merge: bool,
}

impl Spaces {
    /// The text with `▁` for spaces.
    pub(super) fn escaped(self, text: &str) -> String {
        let mut escaped = String::with_capacity(text.len() + 8);
        let (mut in_word, mut begun) = (false, false);
        for character in text.chars() {
            if character == ' ' {
                in_word = false;
                if !self.merge {
                    escaped.push('▁');
                }
                continue;
            }
            if !in_word && (self.merge || self.prefix && !begun) {
                escaped.push('▁');
            }
            (in_word, begun) = (true, true);
            escaped.push(character);
        }
        escaped
    }
}

/// Bytes of a text in base 64, as JSON files have maps in; `None` if it is none.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').bytes();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut word, mut bits) = (0_u32, 0);
    for digit in digits {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        word = word << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((word >> bits) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A map of one sequence, `A`, that becomes `bc`. The root's base is 1, so that its child is at
    /// 1 ^ 0x41. The child's base is 1 too, so that its leaf is beside it.
    fn small() -> Vec<u8> {
        let mut units = [0x8000_0000_u32; 0x44];
        units[0] = 1 << 10;
        units[0x40] = 1 << 10 | 0x100 | 0x41;
        units[0x41] = 0x8000_0000;
        let size = 4 * units.len() as u32;
        let bytes = [size].into_iter().chain(units).flat_map(u32::to_le_bytes);
        bytes.chain(*b"bc\0").collect()
    }

    #[test]
    fn sequences_of_a_map_are_replaced() {
        let map = Charsmap::read(&small()).unwrap();
        assert_eq!(map.replaced("xAéA\0A"), "xbcébc\0bc");
        for length in 0..small().len() {
            if let Ok(map) = Charsmap::read(&small()[..length]) {
                map.replaced("AAé");
            }
        }
    }

    #[test]
    fn spaces_are_escaped() {
        for (prefix, merge, text, escaped) in [
            (false, false, " a  b ", "▁a▁▁b▁"),
            (true, false, " a  b ", "▁▁a▁▁b▁"),
            (true, true, " a  b ", "▁a▁b"),
            (false, true, "a b", "▁a▁b"),
            (true, false, "", ""),
        ] {
            assert_eq!(Spaces { prefix, merge }.escaped(text), escaped, "{text:?}");
        }
    }

    #[test]
    fn base_64_is_read() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("Zg==", b"f"),
            ("Zm9vYmE=", b"fooba"),
            ("+/8A", b"\xfb\xff\0"),
        ] {
            assert_eq!(from_base64(text).as_deref(), Some(bytes), "{text}");
        }
        assert_eq!(from_base64("Z g"), None);
    }
}
