//! RoPE's frequencies, by wavelengths where the papers and `transformers` speak of those.

use std::f64::consts::PI;

/// base^(−2i/d), for each pair i of d elements.
pub fn plain(base: f64, elements: usize) -> Vec<f64> {
    (0..elements / 2)
        .map(|pair| 1.0 / base.powf(2.0 * pair as f64 / elements as f64))
        .collect()
}

/// Each divided by its factor, as llama.cpp does by `rope_freqs.weight`.
pub fn divided(frequencies: &[f64], factors: &[f32]) -> Vec<f64> {
    assert_eq!(frequencies.len(), factors.len());
    let pairs = frequencies.iter().zip(factors);
    pairs
        .map(|(frequency, &factor)| frequency / f64::from(factor))
        .collect()
}

/// Factors that llama.cpp's converter writes into `rope_freqs.weight` for Llama 3.1's scaling.
pub fn llama3_factors(frequencies: &[f64], scaling: Llama3) -> Vec<f32> {
    let Llama3 {
        factor,
        low,
        high,
        context,
    } = scaling;
    let factors = frequencies.iter().map(|frequency| {
        let wavelength = 2.0 * PI / frequency;
        if wavelength < context / high {
            1.0
        } else if wavelength > context / low {
            factor
        } else {
            let smooth = (context / wavelength - low) / (high - low);
            1.0 / ((1.0 - smooth) / factor + smooth)
        }
    });
    factors.map(|factor| factor as f32).collect()
}

/// The numbers of `rope_type: llama3`.
#[derive(Debug, Clone, Copy)]
pub struct Llama3 {
    pub factor: f64,
    pub low: f64,
    pub high: f64,
    pub context: f64,
}
