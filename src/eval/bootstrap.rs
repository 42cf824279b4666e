//! The bootstrap (Efron 1979): how much a mean over few examples would vary with other examples
//! like them.

use serde::{Deserialize, Serialize};

use crate::generate::random::Random;

/// A mean over one example, with the number of positions behind it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weighted {
    /// The mean.
    pub value: f64,
    /// Positions.
    pub weight: f64,
}

/// A confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The mean over all positions of all examples; NaN if there are none.
pub fn mean(examples: &[Weighted]) -> f64 {
    ratio(examples.iter())
}

/// The bootstrap interval that holds `level` (such as 0.95) of the means of `resamples` samples, by
/// the percentile method. Each sample draws as many examples as there are, with replacement. `None`
/// for fewer than two examples, or without resamples.
pub fn interval(
    examples: &[Weighted],
    level: f64,
    resamples: usize,
    seed: u64,
) -> Option<Interval> {
    if examples.len() < 2 || resamples == 0 {
        return None;
    }
    let mut random = Random::new(seed);
    let mut means: Vec<f64> = (0..resamples)
        .map(|_| {
            let drawn = (0..examples.len()).map(|_| &examples[random.below(examples.len())]);
            ratio(drawn)
        })
        .collect();
    means.sort_by(f64::total_cmp);
    // Nearest rank.
    let at = |share: f64| {
        let rank = (share * resamples as f64).ceil() as usize;
        means[rank.clamp(1, resamples) - 1]
    };
    let outside = (1.0 - level) / 2.0;
    Some(Interval {
        low: at(outside),
        high: at(1.0 - outside),
    })
}

fn ratio<'a>(examples: impl Iterator<Item = &'a Weighted>) -> f64 {
    let (mut sum, mut weight) = (0.0, 0.0);
    for example in examples {
        sum += example.value * example.weight;
        weight += example.weight;
    }
    sum / weight
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weighted(pairs: &[(f64, f64)]) -> Vec<Weighted> {
        let pairs = pairs.iter();
        pairs
            .map(|&(value, weight)| Weighted { value, weight })
            .collect()
    }

    #[test]
    fn means_weigh_positions() {
        assert_eq!(mean(&weighted(&[(1.0, 1.0), (4.0, 3.0)])), 3.25);
        assert!(mean(&[]).is_nan());
    }

    /// All samples of three examples, enumerated: many random samples approach their quantiles.
    #[test]
    fn the_interval_is_that_of_all_samples() {
        let examples = weighted(&[(0.0, 2.0), (1.0, 1.0), (10.0, 4.0)]);
        let mut all = Vec::new();
        for a in &examples {
            for b in &examples {
                for c in &examples {
                    all.push(mean(&[*a, *b, *c]));
                }
            }
        }
        all.sort_by(f64::total_cmp);
        // 0.6 of 27 leaves out 5.4 at each end. Between the 5th and the 6th of the sorted the rank
        // is clear.
        let expected = (all[5], all[21]);
        let found = interval(&examples, 0.6, 20_000, 7).unwrap();
        assert_eq!((found.low, found.high), expected);
    }

    #[test]
    fn one_seed_gives_one_interval() {
        let examples = weighted(&[(0.3, 5.0), (0.1, 5.0), (0.7, 6.0), (0.2, 9.0)]);
        let of = |seed| interval(&examples, 0.95, 50, seed).unwrap();
        assert_eq!(of(1), of(1));
        assert!((0..20).any(|seed| of(seed) != of(1)));
    }

    #[test]
    fn one_example_has_none() {
        assert_eq!(interval(&weighted(&[(1.0, 1.0)]), 0.95, 100, 0), None);
        assert_eq!(interval(&weighted(&[(1.0, 1.0); 2]), 0.95, 0, 0), None);
    }
}
