//! The fastest tunings, kept from one session to the next.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fused::Tuning;

/// The fastest tunings measured so far, by adapter and format. Storing its text spares the next
/// load the measurement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownTunings {
    found: BTreeMap<String, String>,
}

/// Content of the text.
#[derive(Serialize, Deserialize)]
struct Kept {
    list: u32,
    found: BTreeMap<String, String>,
}

impl KnownTunings {
    /// Reads what [`to_json`](Self::to_json) wrote. Any other text, or one of another
    /// [version](Tuning::LIST), counts as empty.
    pub fn from_json(text: &str) -> Self {
        let kept = serde_json::from_str(text).ok();
        let kept = kept.filter(|kept: &Kept| kept.list == Tuning::LIST);
        Self {
            found: kept.map(|kept| kept.found).unwrap_or_default(),
        }
    }

    /// The text to store.
    pub fn to_json(&self) -> String {
        let found = &self.found;
        serde_json::json!({ "list": Tuning::LIST, "found": found }).to_string()
    }

    /// The tuning stored for `adapter`, if it is one of `candidates`.
    pub(super) fn among(&self, candidates: &[Tuning], adapter: &str) -> Option<Tuning> {
        let name = self.found.get(adapter)?;
        candidates.iter().copied().find(|it| it.name() == *name)
    }

    /// Stores `tuning` for `adapter`.
    pub(super) fn note(&mut self, adapter: String, tuning: Tuning) {
        self.found.insert(adapter, tuning.name());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> KnownTunings {
        let mut known = KnownTunings::default();
        known.note("a, vulkan, Q4_1".to_owned(), Tuning::MODERATE);
        known
    }

    #[test]
    fn what_was_kept_is_known_again() {
        let again = KnownTunings::from_json(&known().to_json());
        assert_eq!(again, known());
        let found = again.among(&Tuning::PLAIN, "a, vulkan, Q4_1");
        assert_eq!(found, Some(Tuning::MODERATE));
    }

    #[test]
    fn another_adapter_and_what_is_not_tried_any_more_are_unknown() {
        assert_eq!(known().among(&Tuning::PLAIN, "b, vulkan, Q4_1"), None);
        assert_eq!(known().among(&[Tuning::SERIAL], "a, vulkan, Q4_1"), None);
    }

    #[test]
    fn what_is_damaged_or_of_another_list_says_nothing() {
        let whole = known().to_json();
        let stale = whole.replace(
            &format!("\"list\":{}", Tuning::LIST),
            &format!("\"list\":{}", Tuning::LIST + 1),
        );
        assert_ne!(stale, whole);
        let cut = &whole[..whole.len() / 2];
        for text in ["", "null", "[1, 2]", r#"{"list":1}"#, cut, &stale] {
            assert_eq!(KnownTunings::from_json(text), KnownTunings::default());
        }
    }
}
