//! Storage types as one word.

use kvscope::cache::{CacheType, CacheTypes};

/// Reads a type, or one of keys and one of values such as `h8/h4`.
pub fn types(text: &str) -> Result<CacheTypes, String> {
    match text.split_once('/') {
        None => Ok(one(text)?.into()),
        Some((keys, values)) => Ok(CacheTypes {
            keys: one(keys)?,
            values: one(values)?,
        }),
    }
}

/// Reads one type.
pub fn one(text: &str) -> Result<CacheType, String> {
    let mut all = CacheType::ALL.iter().copied();
    let named = all.find(|one| one.name() == text);
    named.ok_or_else(|| {
        format!(
            "no storage type, these are: {}",
            CacheType::NAMES.join(", ")
        )
    })
}

/// The word that [`types`] reads as these.
pub fn word(types: CacheTypes) -> String {
    let CacheTypes { keys, values } = types;
    if keys == values {
        keys.to_string()
    } else {
        format!("{keys}/{values}")
    }
}

/// `types`, with the type of keys or of values that is given apart in its place.
pub fn apart(types: CacheTypes, keys: Option<CacheType>, values: Option<CacheType>) -> CacheTypes {
    CacheTypes {
        keys: keys.unwrap_or(types.keys),
        values: values.unwrap_or(types.values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_what_they_were_written_for() {
        for keys in CacheType::ALL.iter().copied() {
            for values in CacheType::ALL.iter().copied() {
                let both = CacheTypes { keys, values };
                assert_eq!(types(&word(both)), Ok(both));
            }
        }
        for wrong in ["", "q8_0", "h8/", "h8/h4/h4", "/"] {
            assert!(types(wrong).is_err(), "{wrong}");
        }
    }
}
