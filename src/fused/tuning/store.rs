//! What was found to be fastest, kept from one session to the next.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fused::Tuning;

/// The ways of sharing out work that were found to be the fastest, by adapter and format. Whoever keeps its text spares the
/// next load the measurement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownTunings {
    found: BTreeMap<String, String>,
}

/// What the text says.
#[derive(Serialize, Deserialize)]
struct Kept {
    list: u32,
    found: BTreeMap<String, String>,
}

impl KnownTunings {
    /// What [`to_json`](Self::to_json) gave. Any other text, and one of a version of kvscope that tried other ways, says
    /// nothing.
    pub fn from_json(text: &str) -> Self {
        let kept = serde_json::from_str(text).ok();
        let kept = kept.filter(|kept: &Kept| kept.list == Tuning::LIST);
        Self {
            found: kept.map(|kept| kept.found).unwrap_or_default(),
        }
    }

    /// As a text to keep.
    pub fn to_json(&self) -> String {
        let found = &self.found;
        serde_json::json!({ "list": Tuning::LIST, "found": found }).to_string()
    }

    /// What was found for `adapter`, if it is one of `tried`.
    pub(super) fn among(&self, tried: &[Tuning], adapter: &str) -> Option<Tuning> {
        let name = self.found.get(adapter)?;
        tried.iter().copied().find(|it| it.name() == *name)
    }

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
