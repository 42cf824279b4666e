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
//! - cos and sin are multiplied by the attention factor, 1 in most models

use std::borrow::Cow;
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
    /// Factor of cosines and sines, by which logits grow with its square (Peng et al., arXiv
    /// 2309.00071, section 3.4).
    pub attention_factor: f64,
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
    /// Waves that turn rarely within the original context, and in part those between rarely and
    /// often. It is YaRN (Peng et al., arXiv 2309.00071, section 3.2).
    Yarn {
        /// Stretch of slow waves.
        factor: f64,
        /// Positions that the model was first trained for.
        original_context: usize,
        /// Turns within the original context from which on a wave is left as it is.
        beta_fast: f64,
        /// Turns up to which a wave is stretched in full.
        beta_slow: f64,
        /// True if the ramp begins and ends at whole pairs.
        whole_pairs: bool,
    },
    /// Each pair by a factor of its own, with others beyond the original context (Ding et al.,
    /// arXiv 2402.13753). [`RopeFactors`] has them.
    LongRope {
        /// Positions that the model was first trained for.
        original_context: usize,
    },
    /// By a base that grows with the position, beyond the original context (Peng et al., arXiv
    /// 2309.00071, appendix B.1).
    Dynamic {
        /// Growth of the base.
        factor: f64,
        /// Positions that the model was trained for.
        original_context: usize,
    },
}

/// Divisors of the frequencies, one per pair.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum RopeFactors {
    /// No divisors.
    #[default]
    None,
    /// The same at all positions.
    All(Vec<f32>),
    /// Those of [`RopeScaling::LongRope`].
    ByPosition {
        /// Up to the original context.
        short: Vec<f32>,
        /// Beyond it.
        long: Vec<f32>,
    },
}

/// Frequencies of a model's pairs.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Radians per position.
    frequencies: Vec<f64>,
    beyond: Beyond,
    layout: RopeLayout,
    attention_factor: f64,
}

/// Frequencies beyond the original context.
#[derive(Debug, Clone, PartialEq)]
enum Beyond {
    Same,
    Others {
        original_context: usize,
        frequencies: Vec<f64>,
    },
    GrowingBase {
        original_context: usize,
        factor: f64,
        base: f64,
    },
}

impl Rope {
    /// Frequencies from `config`, each divided by the matching entry of `factors`, if there are
    /// any.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] unless there is one finite factor above 0 per pair.
    pub fn new(config: &RopeConfig, factors: &RopeFactors) -> Result<Self, ModelError> {
        let pairs = config.rotated / 2;
        let unscaled = frequencies(config.base, pairs).enumerate();
        let scaled = unscaled.map(|(pair, frequency)| stretch(frequency, pair, config));
        let scaled: Vec<f64> = scaled.collect();
        let divided = |field: &str, factors: &[f32]| {
            check_factors(field, factors, pairs)?;
            let factors = factors.iter().map(|factor| f64::from(*factor));
            let divided = scaled.iter().zip(factors).map(|(it, factor)| it / factor);
            Ok::<Vec<f64>, ModelError>(divided.collect())
        };
        let (frequencies, beyond) = match (factors, config.scaling) {
            (RopeFactors::ByPosition { short, long }, scaling) => {
                let frequencies = divided("rope_factors_long.weight", long)?;
                let beyond = match scaling {
                    RopeScaling::LongRope { original_context } => Beyond::Others {
                        original_context,
                        frequencies,
                    },
                    _ => Beyond::Same,
                };
                (divided("rope_factors_short.weight", short)?, beyond)
            }
            (
                factors,
                RopeScaling::Dynamic {
                    factor,
                    original_context,
                },
            ) if *factors == RopeFactors::None => (
                scaled,
                Beyond::GrowingBase {
                    original_context,
                    factor,
                    base: config.base,
                },
            ),
            (RopeFactors::All(factors), _) => {
                (divided("rope_freqs.weight", factors)?, Beyond::Same)
            }
            (RopeFactors::None, _) => (scaled, Beyond::Same),
        };
        Ok(Self {
            frequencies,
            beyond,
            layout: config.layout,
            attention_factor: config.attention_factor,
        })
    }

    /// Elements that make a pair.
    pub fn layout(&self) -> RopeLayout {
        self.layout
    }

    /// Cosines and sines of `count` positions from `first` on, each `[count, pairs]`. Angles are
    /// computed in f64: in f32, position 100,000 would have lost the fourth digit.
    pub fn rows(&self, first: usize, count: usize) -> (Vec<f32>, Vec<f32>) {
        let amplitude = self.attention_factor;
        let (mut cosines, mut sines) = (Vec::new(), Vec::new());
        for position in first..first.saturating_add(count) {
            for frequency in self.frequencies_at(position).iter() {
                let (sine, cosine) = (position as f64 * frequency).sin_cos();
                cosines.push((amplitude * cosine) as f32);
                sines.push((amplitude * sine) as f32);
            }
        }
        (cosines, sines)
    }

    fn frequencies_at(&self, position: usize) -> Cow<'_, [f64]> {
        match &self.beyond {
            Beyond::Others {
                original_context,
                frequencies,
            } if position >= *original_context => Cow::Borrowed(frequencies),
            Beyond::GrowingBase {
                original_context,
                factor,
                base,
            } if position >= *original_context => {
                let rotated = 2.0 * self.frequencies.len() as f64;
                let longer = (position as f64 + 1.0) / *original_context as f64;
                let growth = (factor * longer - (factor - 1.0)).powf(rotated / (rotated - 2.0));
                frequencies(base * growth, self.frequencies.len()).collect()
            }
            _ => Cow::Borrowed(&self.frequencies),
        }
    }
}

/// Unstretched frequencies of `pairs` pairs, in radians per position.
fn frequencies(base: f64, pairs: usize) -> impl Iterator<Item = f64> {
    (0..pairs).map(move |pair| base.powf(-(pair as f64) / pairs as f64))
}

/// Checks divisors of the frequencies.
///
/// # Errors
///
/// [`ModelError::Config`] with `field` unless there are `pairs` finite ones above 0.
pub(super) fn check_factors(field: &str, factors: &[f32], pairs: usize) -> Result<(), ModelError> {
    let wrong = factors.iter().find(|it| !(it.is_finite() && **it > 0.0));
    if factors.len() == pairs && wrong.is_none() {
        return Ok(());
    }
    Err(ModelError::Config {
        field: field.to_owned(),
        found: match wrong {
            Some(wrong) => wrong.to_string(),
            None => format!("{} factors", factors.len()),
        },
        allowed: format!("{pairs} finite factors above 0"),
    })
}

/// YaRN's attention factor of a model that is stretched by `factor` (arXiv 2309.00071, eq. 22). The
/// logarithm has the weight `weight`, there 1.
pub(super) fn yarn_attention_factor(factor: f64, weight: f64) -> f64 {
    if factor <= 1.0 {
        1.0
    } else {
        0.1 * weight * factor.ln() + 1.0
    }
}

fn stretch(frequency: f64, pair: usize, config: &RopeConfig) -> f64 {
    match config.scaling {
        RopeScaling::None | RopeScaling::LongRope { .. } | RopeScaling::Dynamic { .. } => frequency,
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
        RopeScaling::Yarn {
            factor,
            original_context,
            beta_fast,
            beta_slow,
            whole_pairs,
        } => {
            let rotated = config.rotated as f64;
            // The pair, as a real number, that turns so often within the original context.
            let pair_of = |turns: f64| {
                let per_turn = original_context as f64 / (turns * TAU);
                rotated * per_turn.ln() / (2.0 * config.base.ln())
            };
            let (mut low, mut high) = (pair_of(beta_fast), pair_of(beta_slow));
            if whole_pairs {
                (low, high) = (low.floor(), high.ceil());
            }
            (low, high) = (low.max(0.0), high.min(rotated - 1.0));
            if low == high {
                high += 0.001;
            }
            let stretched = ((pair as f64 - low) / (high - low)).clamp(0.0, 1.0);
            frequency / factor * stretched + frequency * (1.0 - stretched)
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
            attention_factor: 1.0,
        }
    }

    fn none() -> RopeFactors {
        RopeFactors::None
    }

    #[test]
    fn frequencies_fall_from_one_by_the_base() {
        let rope = Rope::new(&config(4, 100.0, RopeScaling::None), &none()).unwrap();
        assert_eq!(rope.frequencies, [1.0, 0.1]);
        let (cosines, sines) = rope.rows(2, 2);
        let expected = [2.0_f64, 0.2, 3.0, 0.3];
        assert_eq!(cosines, expected.map(|angle| angle.cos() as f32));
        assert_eq!(sines, expected.map(|angle| angle.sin() as f32));
    }

    #[test]
    fn linear_scaling_and_factors_divide() {
        let linear = RopeScaling::Linear { factor: 4.0 };
        let rope = Rope::new(&config(4, 100.0, linear), &RopeFactors::All(vec![1.0, 2.0])).unwrap();
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
        let plain = Rope::new(&config(128, 5e5, RopeScaling::None), &none()).unwrap();
        let scaled = Rope::new(&config(128, 5e5, scaling), &none()).unwrap();
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
            let refused = Rope::new(
                &config(4, 100.0, RopeScaling::None),
                &RopeFactors::All(factors),
            );
            assert!(matches!(refused, Err(ModelError::Config { .. })));
        }
    }

    /// Beyond the original context the long factors divide; a factor of the attention is common.
    #[test]
    fn longrope_changes_at_the_original_context() {
        let scaling = RopeScaling::LongRope {
            original_context: 2,
        };
        let config = RopeConfig {
            attention_factor: 3.0,
            ..config(4, 100.0, scaling)
        };
        let factors = RopeFactors::ByPosition {
            short: vec![1.0, 2.0],
            long: vec![4.0, 5.0],
        };
        let rope = Rope::new(&config, &factors).unwrap();
        let (cosines, sines) = rope.rows(1, 2);
        let expected = [1.0_f64, 0.05, 0.5, 0.04];
        for (pair, angle) in expected.into_iter().enumerate() {
            assert_eq!(cosines[pair], (3.0 * angle.cos()) as f32);
            assert_eq!(sines[pair], (3.0 * angle.sin()) as f32);
        }
    }

    /// At the last position of the original context the base is still the model's own.
    #[test]
    fn a_dynamic_base_grows_from_the_original_context_on() {
        let scaling = RopeScaling::Dynamic {
            factor: 2.0,
            original_context: 8,
        };
        let plain = Rope::new(&config(8, 100.0, RopeScaling::None), &none()).unwrap();
        let rope = Rope::new(&config(8, 100.0, scaling), &none()).unwrap();
        assert_eq!(rope.rows(0, 8), plain.rows(0, 8));
        // Position 15 is the last of twice the context: 2 · 2 − 1 = 3, and 3^(8/6).
        let base = 100.0 * 3.0_f64.powf(8.0 / 6.0);
        let frequency = base.powf(-2.0 / 8.0);
        let (cosines, _) = rope.rows(15, 1);
        assert!((f64::from(cosines[1]) - (15.0 * frequency).cos()).abs() < 1e-6);
    }

    /// Fast waves stay, slow ones are divided by the factor, and those between lie between.
    #[test]
    fn yarn_stretches_slow_waves_alone() {
        let scaling = RopeScaling::Yarn {
            factor: 4.0,
            original_context: 4096,
            beta_fast: 32.0,
            beta_slow: 1.0,
            whole_pairs: true,
        };
        let plain = Rope::new(&config(128, 1e4, RopeScaling::None), &none()).unwrap();
        let yarn = Rope::new(&config(128, 1e4, scaling), &none()).unwrap();
        for (before, after) in plain.frequencies.iter().zip(yarn.frequencies) {
            let turns = 4096.0 * before / TAU;
            if turns > 40.0 {
                assert_eq!(*before, after);
            } else if turns < 0.8 {
                assert!((before / 4.0 - after).abs() < 1e-12);
            } else {
                assert!((before / 4.0..=*before).contains(&after));
            }
        }
        assert_eq!(yarn_attention_factor(1.0, 1.0), 1.0);
        assert!((yarn_attention_factor(4.0, 1.0) - 1.138_629).abs() < 1e-6);
    }
}
