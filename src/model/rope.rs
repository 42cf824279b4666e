//! RoPE: rotary position embedding (Su et al., arXiv 2104.09864, section 3.2.2), and the ways in
//! which models stretch it.
//!
//! A pair (x, y) of a head's elements at position m becomes
//!
//! x' = x · cos(m·θ) − y · sin(m·θ), y' = x · sin(m·θ) + y · cos(m·θ)
//!
//! Where:
//! - θ = base^(−2i/d), for pair i of the d elements that are rotated
//! - pairs are neighbours or half of d apart: [`RopeLayout`]
//! - θ may be stretched for longer contexts: [`RopeScaling`]

use std::f64::consts::TAU;

use super::error::ModelError;

/// Rotation of queries and keys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RopeConfig {
    /// Elements that make a pair.
    pub layout: RopeLayout,
    /// Base of the frequencies.
    pub base: f64,
    /// Elements of a head that are rotated, the first ones; an even number.
    pub rotated: usize,
    /// Stretching of the frequencies for longer contexts.
    pub scaling: RopeScaling,
}

/// Elements of a head that are rotated together. GGUF files of Llamas have the rows of queries and
/// keys reordered for the first; all others use the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RopeLayout {
    /// 2i and 2i + 1.
    Interleaved,
    /// i and i + pairs.
    Halves,
}

/// Stretching of the frequencies for longer contexts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RopeScaling {
    /// Unstretched; a file may still carry factors.
    None,
    /// All by one factor (Chen et al., arXiv 2306.15595).
    Linear {
        /// The factor.
        factor: f64,
    },
    /// Long waves only, as in Llama 3.1 (arXiv 2407.21783).
    Llama3 {
        /// Stretch of long waves.
        factor: f64,
        /// Waves longer than the original context divided by this are long.
        low_frequency_factor: f64,
        /// Waves shorter than the original context divided by this are short.
        high_frequency_factor: f64,
        /// Positions that the model was first trained for.
        original_context: usize,
    },
}

/// Frequencies of a model's pairs.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Radians per position.
    frequencies: Vec<f64>,
    layout: RopeLayout,
}

impl Rope {
    /// Frequencies from `config`, each divided by the matching entry of `factors`, if there are
    /// any.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] unless there is one finite factor above 0 per pair.
    pub fn new(config: &RopeConfig, factors: Option<Vec<f32>>) -> Result<Self, ModelError> {
        let pairs = config.rotated / 2;
        let factors = factors.unwrap_or_else(|| vec![1.0; pairs]);
        let wrong = factors.iter().find(|it| !(it.is_finite() && **it > 0.0));
        if factors.len() != pairs || wrong.is_some() {
            return Err(ModelError::Config {
                field: "rope_freqs.weight".to_owned(),
                found: match wrong {
                    Some(wrong) => wrong.to_string(),
                    None => format!("{} factors", factors.len()),
                },
                allowed: format!("{pairs} finite factors above 0"),
            });
        }
        let frequencies = (0..pairs).zip(factors).map(|(pair, factor)| {
            let exponent = 2.0 * pair as f64 / config.rotated as f64;
            stretch(config.base.powf(-exponent), config.scaling) / f64::from(factor)
        });
        Ok(Self {
            frequencies: frequencies.collect(),
            layout: config.layout,
        })
    }

    /// Elements that make a pair.
    pub fn layout(&self) -> RopeLayout {
        self.layout
    }

    /// Cosines and sines of `count` positions from `first` on, each `[count, pairs]`. Angles are
    /// computed in f64: in f32, position 100,000 would have lost the fourth digit.
    pub fn rows(&self, first: usize, count: usize) -> (Vec<f32>, Vec<f32>) {
        let positions = first..first.saturating_add(count);
        let angles = positions.flat_map(|position| {
            let frequencies = self.frequencies.iter();
            frequencies.map(move |frequency| position as f64 * frequency)
        });
        angles
            .map(|angle| (angle.cos() as f32, angle.sin() as f32))
            .unzip()
    }
}

fn stretch(frequency: f64, scaling: RopeScaling) -> f64 {
    match scaling {
        RopeScaling::None => frequency,
        RopeScaling::Linear { factor } => frequency / factor,
        // Long waves are stretched, short ones are not, and those between them in part.
        RopeScaling::Llama3 {
            factor,
            low_frequency_factor,
            high_frequency_factor,
            original_context,
        } => {
            let turns = original_context as f64 * frequency / TAU;
            if turns > high_frequency_factor {
                frequency
            } else if turns < low_frequency_factor {
                frequency / factor
            } else {
                let smooth =
                    (turns - low_frequency_factor) / (high_frequency_factor - low_frequency_factor);
                (1.0 - smooth) * frequency / factor + smooth * frequency
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(rotated: usize, base: f64, scaling: RopeScaling) -> RopeConfig {
        RopeConfig {
            layout: RopeLayout::Halves,
            base,
            rotated,
            scaling,
        }
    }

    #[test]
    fn frequencies_fall_from_one_by_the_base() {
        let rope = Rope::new(&config(4, 100.0, RopeScaling::None), None).unwrap();
        assert_eq!(rope.frequencies, [1.0, 0.1]);
        let (cosines, sines) = rope.rows(2, 2);
        let expected = [2.0_f64, 0.2, 3.0, 0.3];
        assert_eq!(cosines, expected.map(|angle| angle.cos() as f32));
        assert_eq!(sines, expected.map(|angle| angle.sin() as f32));
    }

    #[test]
    fn linear_scaling_and_factors_divide() {
        let linear = RopeScaling::Linear { factor: 4.0 };
        let rope = Rope::new(&config(4, 100.0, linear), Some(vec![1.0, 2.0])).unwrap();
        assert_eq!(rope.frequencies, [0.25, 0.0125]);
    }

    /// Llama 3.1's own numbers: waves shorter than 8192 / 4 stay, those longer than 8192 / 1 are 8
    /// times as long.
    #[test]
    fn llama3_scaling_stretches_long_waves_alone() {
        let scaling = RopeScaling::Llama3 {
            factor: 8.0,
            low_frequency_factor: 1.0,
            high_frequency_factor: 4.0,
            original_context: 8192,
        };
        let plain = Rope::new(&config(128, 5e5, RopeScaling::None), None).unwrap();
        let scaled = Rope::new(&config(128, 5e5, scaling), None).unwrap();
        for (before, after) in plain.frequencies.iter().zip(scaled.frequencies) {
            let wave = TAU / before;
            if wave < 2048.0 {
                assert_eq!(*before, after);
            } else if wave > 8192.0 {
                assert_eq!(before / 8.0, after);
            } else {
                assert!((before / 8.0..=*before).contains(&after));
            }
        }
    }

    #[test]
    fn factors_that_do_not_fit_are_refused() {
        for factors in [
            vec![1.0],
            vec![1.0, 0.0],
            vec![1.0, f32::NAN],
            vec![-1.0, 1.0],
        ] {
            let refused = Rope::new(&config(4, 100.0, RopeScaling::None), Some(factors));
            assert!(matches!(refused, Err(ModelError::Config { .. })));
        }
    }
}
