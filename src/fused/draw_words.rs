//! The words of a draw, which `draw.wgsl` reads from one uniform: the sampling options, then two
//! of the draw itself.

use crate::generate::{Adjustment, Draw, SamplingConfig, SamplingValue};

/// Words after the options: number of adjustments, random part.
const OWN: usize = 2;

/// Words of a vector, of which a uniform has whole ones.
const VECTOR: usize = 4;

/// The options that the kernel reads, each with its type in WGSL.
pub(super) fn options() -> Vec<(&'static str, &'static str)> {
    let options = SamplingConfig::OPTIONS.iter();
    let types = options.filter_map(|option| {
        let (type_name, _) = word(option.default_value())?;
        Some((option.name, type_name))
    });
    types.collect()
}

/// Words in all: whole vectors of four.
pub(super) fn count() -> usize {
    (options().len() + OWN).next_multiple_of(VECTOR)
}

/// Words of `draw`, of whose adjustments `adjusted` are uploaded.
pub(super) fn words(draw: &Draw<'_>, adjusted: usize) -> Vec<u32> {
    let options = SamplingConfig::OPTIONS.iter();
    let values = options.filter_map(|option| word(draw.sampling.value(option)));
    let mut words: Vec<u32> = values.map(|(_, word)| word).collect();
    words.extend([adjusted as u32, draw.part.to_bits()]);
    words.resize(words.len().next_multiple_of(VECTOR), 0);
    words
}

/// Words of one adjustment: the token, its bias, 1 if it is repeated, its count.
pub(super) fn adjustment(it: &Adjustment) -> [u32; VECTOR] {
    [
        it.token,
        it.bias.to_bits(),
        u32::from(it.repeated),
        it.count,
    ]
}

/// WGSL type and word of a value; `None` for one that only the host reads.
fn word(value: SamplingValue) -> Option<(&'static str, u32)> {
    match value {
        SamplingValue::Number(number) => Some(("f32", number.to_bits())),
        SamplingValue::Tokens(tokens) => Some(("u32", u32::try_from(tokens).unwrap_or(u32::MAX))),
        SamplingValue::Seed(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stands_where_its_field_is_declared() {
        let sampling = SamplingConfig::default()
            .with_top_p(0.25)
            .with_top_k(usize::MAX)
            .with_seed(9);
        let draw = Draw {
            sampling: &sampling,
            adjustments: &[],
            part: 0.5,
        };
        let words = words(&draw, 2);
        let options = options();
        let at = |name: &str| {
            let mut names = options.iter();
            words[names.position(|(option, _)| *option == name).unwrap()]
        };
        assert_eq!(at("top_p"), 0.25_f32.to_bits());
        assert_eq!(at("top_k"), u32::MAX);
        assert!(options.contains(&("top_k", "u32")) && options.contains(&("min_p", "f32")));
        assert!(options.iter().all(|(name, _)| *name != "seed"));
        assert_eq!(words[options.len()..][..2], [2, 0.5_f32.to_bits()]);
        assert_eq!(words.len(), count());
        assert!(words.len().is_multiple_of(4));
    }
}
