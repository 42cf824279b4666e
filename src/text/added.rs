//! Tokens that were added to a vocabulary whole instead of merged, and the search for them in a
//! text.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// Kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A piece of text, built by merges.
    Normal,
    /// A mark for the model, such as the end of a turn; no text means it.
    Control,
    /// Text that is always one token.
    UserDefined,
    /// Text whose spelling is a mark in other vocabularies. A program's prompt means the token by
    /// it, as llama.cpp reads it; a user's text does not.
    Lookalike,
    /// Stands for text outside the vocabulary.
    Unknown,
    /// A place in the vocabulary that no text leads to.
    Unused,
    /// A single byte, for characters without a token.
    Byte,
}

/// A token that was added whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Added {
    pub(super) text: String,
    pub(super) kind: Kind,
    /// Takes the white space before it along.
    pub(super) strips_before: bool,
    /// Takes the white space after it along.
    pub(super) strips_behind: bool,
}

impl Added {
    pub(super) fn new(text: &str, kind: Kind) -> Self {
        Self {
            text: text.to_owned(),
            kind,
            strips_before: false,
            strips_behind: false,
        }
    }
}

/// Byte range in a text, and the token found there.
pub(super) type Found = (Range<usize>, u32);

/// All tokens of a vocabulary that were added whole.
#[derive(Debug, Clone, Default)]
pub(super) struct AddedTokens {
    by_id: BTreeMap<u32, Added>,
    by_text: HashMap<String, u32>,
    /// Lengths of the texts that begin with each byte, longest first.
    lengths: HashMap<u8, Vec<usize>>,
}

impl AddedTokens {
    /// Adds a token. Returns `false` if its id or its text is taken.
    #[must_use]
    pub(super) fn insert(&mut self, id: u32, added: Added) -> bool {
        if self.by_id.contains_key(&id) || self.by_text.contains_key(&added.text) {
            return false;
        }
        if let Some(&first) = added.text.as_bytes().first() {
            let lengths = self.lengths.entry(first).or_default();
            let length = added.text.len();
            if let Err(place) = lengths.binary_search_by(|have| length.cmp(have)) {
                lengths.insert(place, length);
            }
            self.by_text.insert(added.text.clone(), id);
        }
        self.by_id.insert(id, added);
        true
    }

    pub(super) fn get(&self, id: u32) -> Option<&Added> {
        self.by_id.get(&id)
    }

    pub(super) fn id(&self, text: &str) -> Option<u32> {
        self.by_text.get(text).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Added)> {
        self.by_id.iter().map(|(&id, added)| (id, added))
    }

    /// Finds the tokens within `range` of `text` whose kind passes `wanted`. Left to right, the
    /// longest at each place, as all tokenizers do.
    pub(super) fn find(
        &self,
        text: &str,
        range: Range<usize>,
        wanted: impl Fn(Kind) -> bool,
    ) -> Vec<Found> {
        let mut found = Vec::new();
        let (mut at, mut free, end) = (range.start, range.start, range.end);
        while at < end {
            let Some((id, added)) = self.longest_at(text, at, end, &wanted) else {
                at += 1;
                continue;
            };
            let (mut from, mut to) = (at, at + added.text.len());
            if added.strips_before {
                from = free + text[free..from].trim_end().len();
            }
            if added.strips_behind {
                to = end - text[to..end].trim_start().len();
            }
            found.push((from..to, id));
            (at, free) = (to, to);
        }
        found
    }

    fn longest_at(
        &self,
        text: &str,
        at: usize,
        end: usize,
        wanted: impl Fn(Kind) -> bool,
    ) -> Option<(u32, &Added)> {
        let lengths = self.lengths.get(text.as_bytes().get(at)?)?;
        lengths.iter().find_map(|length| {
            // `None` within a character: no token begins or ends there.
            let here = text.get(at..at + length)?;
            let id = *self.by_text.get(here)?;
            let added = self.by_id.get(&id)?;
            (at + length <= end && wanted(added.kind)).then_some((id, added))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(texts: &[(&str, Kind)]) -> AddedTokens {
        let mut tokens = AddedTokens::default();
        for (id, &(text, kind)) in texts.iter().enumerate() {
            assert!(tokens.insert(id as u32, Added::new(text, kind)));
        }
        tokens
    }

    #[test]
    fn the_longest_of_the_leftmost_is_found() {
        let tokens = tokens(&[
            ("<a", Kind::Control),
            ("<a>", Kind::Control),
            ("a>b", Kind::Control),
            ("é", Kind::UserDefined),
        ]);
        let all = |text: &str| tokens.find(text, 0..text.len(), |_| true);
        assert_eq!(all("x<a>b"), [(1..4, 1)]);
        assert_eq!(all("<a<a>"), [(0..2, 0), (2..5, 1)]);
        assert_eq!(all("èé"), [(2..4, 3)]);
        assert_eq!(tokens.find("<a>", 0..2, |_| true), [(0..2, 0)]);
        assert_eq!(
            tokens.find("<a>é", 0..5, |kind| kind == Kind::UserDefined),
            [(3..5, 3)]
        );
    }

    #[test]
    fn tokens_take_white_space_only_where_they_say_so() {
        let mut tokens = AddedTokens::default();
        let mut both = Added::new("<m>", Kind::Control);
        (both.strips_before, both.strips_behind) = (true, true);
        assert!(tokens.insert(7, both));
        assert!(tokens.insert(8, Added::new("<n>", Kind::Control)));
        let text = " a \u{3000}<m> <m>\n<n> b";
        assert_eq!(
            tokens.find(text, 0..text.len(), |_| true),
            [(2..10, 7), (10..14, 7), (14..17, 8)]
        );
    }
}
